//go:build !purego

package xchacha

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate env GOWORK=off go run -C _asm . -out ../kernel_amd64.s

const (
	sse2 kernel = 1 + iota
	avx2
	avx512
)

// kernels lists what runs on this processor, best first. One order is right for
// all: a rotation takes one instruction with AVX-512 and two or three without, also
// where vectors are slow, and the kernels keep to 256 bits, for which no processor
// lowers its clock. On Zen 4, AVX-512 is the faster by 18 % for 32 bytes, by 14 % for 192
// and by more than 25 % for 64 KiB.
func kernels() []kernel {
	all := []kernel{sse2, portable}
	if cpu.X86.HasAVX2 && cpu.X86.HasBMI2 {
		all = append([]kernel{avx2}, all...)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL {
			all = append([]kernel{avx512}, all...)
		}
	}
	return all
}

func (k kernel) String() string {
	return [...]string{"portable", "SSE2", "AVX2", "AVX512"}[k]
}

// The assembly takes pointers and lengths, of slices whose lengths were
// checked: dst and src have the tag where p says that it follows.

func (k kernel) seal(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) {
	d, t := unsafe.SliceData(dst), unsafe.SliceData(src)
	switch k {
	case avx512:
		sealAVX512(s, d, t, len(src), nonce, key, p)
	case avx2:
		sealAVX2(s, d, t, len(src), nonce, key, p)
	case sse2:
		sealSSE2(s, d, t, len(src), nonce, key, p)
	default:
		s.sealPortable(dst, src, nonce, key, p)
	}
}

func (k kernel) open(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) bool {
	d, t := unsafe.SliceData(dst), unsafe.SliceData(src)
	switch k {
	case avx512:
		return openAVX512(s, d, t, len(dst), nonce, key, p)
	case avx2:
		return openAVX2(s, d, t, len(dst), nonce, key, p)
	case sse2:
		return openSSE2(s, d, t, len(dst), nonce, key, p)
	default:
		return s.openPortable(dst, src, nonce, key, p)
	}
}

func (k kernel) hChaCha(s *State, dst, key *[KeySize]byte, in *[16]byte, doubleRounds int) {
	switch k {
	case avx512:
		hChaChaAVX512(dst, key, in, doubleRounds)
	case avx2:
		hChaChaAVX2(dst, key, in, doubleRounds)
	case sse2:
		hChaChaSSE2(dst, key, in, doubleRounds)
	default:
		s.hChaChaPortable(dst, key, in, doubleRounds)
	}
}

// withAdditional is the kernel for messages with additional data.
func withAdditional() kernel { return best }

func (k kernel) absorb(s *State, additional []byte) {
	if k == portable {
		s.absorbPortable(additional)
		return
	}
	absorbAdditional(s, unsafe.SliceData(additional), len(additional))
}

//go:noescape
func absorbAdditional(s *State, b *byte, n int)

//go:noescape
func sealSSE2(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part)

//go:noescape
func openSSE2(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part) bool

//go:noescape
func hChaChaSSE2(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int)

//go:noescape
func sealAVX2(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part)

//go:noescape
func openAVX2(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part) bool

//go:noescape
func hChaChaAVX2(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int)

//go:noescape
func sealAVX512(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part)

//go:noescape
func openAVX512(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part) bool

//go:noescape
func hChaChaAVX512(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int)
