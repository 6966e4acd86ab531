//go:build !purego

package xchacha

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate env GOWORK=off go run -C _asm . -out ../kernel_amd64.s

const (
	sse2 kernel = 1 + iota
	avx2
	avx512
	avx512Paced // AVX-512 as Zen 5 likes it: see _asm/pace.go
)

// kernels lists what runs on this processor, best first. One order is right for nearly
// all: a rotation takes one instruction with AVX-512 and two or three without, also
// where vectors are slow, and the kernels keep to 256 bits, for which no processor
// lowers its clock. On Zen 4, AVX-512 is the faster by 18 % for 32 bytes, by 14 % for 192
// and by more than 25 % for 64 KiB. On Zen 5, pacing makes it the faster again, by a third
// for 32 bytes and by 17 % for 256, and messages of 65 to 192 bytes take 512 bits, for
// which Zen 5 does not lower its clock either.
func kernels() []kernel {
	all := []kernel{sse2, portable}
	if cpu.X86.HasAVX2 && cpu.X86.HasBMI2 {
		all = append([]kernel{avx2}, all...)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL {
			with := []kernel{avx512, avx512Paced}
			if zen5() {
				slices.Reverse(with)
			}
			all = append(with, all...)
		}
	}
	return all
}

// zen5 reports whether this is a processor of AMD's family 1Ah: Zen 5, and what may follow
// in the same family. AMD64 Architecture Programmer's Manual, volume 3, appendix E.3.
func zen5() bool {
	_, b, c, d := cpuid(0)
	amd := b == 'A'|'u'<<8|'t'<<16|'h'<<24 && d == 'e'|'n'<<8|'t'<<16|'i'<<24 && c == 'c'|'A'<<8|'M'<<16|'D'<<24
	signature, _, _, _ := cpuid(1)
	return amd && signature>>8&0xf+signature>>20&0xff == 0x1a
}

// cpuid runs the instruction of that name. A hypervisor may answer it, which takes
// microseconds.
//
//go:noescape
func cpuid(leaf uint32) (a, b, c, d uint32)

func (k kernel) String() string {
	return [...]string{"portable", "SSE2", "AVX2", "AVX512", "AVX512Paced"}[k]
}

// The assembly takes pointers and lengths, of slices whose lengths were
// checked: dst and src have the tag where p says that it follows.

func (k kernel) seal(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) {
	d, t := unsafe.SliceData(dst), unsafe.SliceData(src)
	switch k {
	case avx512Paced:
		p |= paced
		fallthrough
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
	case avx512Paced:
		p |= paced
		fallthrough
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
	case avx512Paced:
		hChaChaAVX512(dst, key, in, doubleRounds, paced)
	case avx512:
		hChaChaAVX512(dst, key, in, doubleRounds, 0)
	case avx2:
		hChaChaAVX2(dst, key, in, doubleRounds, 0)
	case sse2:
		hChaChaSSE2(dst, key, in, doubleRounds, 0)
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
func hChaChaSSE2(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int, p part)

//go:noescape
func sealAVX2(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part)

//go:noescape
func openAVX2(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part) bool

//go:noescape
func hChaChaAVX2(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int, p part)

//go:noescape
func sealAVX512(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part)

//go:noescape
func openAVX512(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part) bool

//go:noescape
func hChaChaAVX512(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int, p part)
