//go:build !purego

package xchacha

import "unsafe"

const neon kernel = 1

// opening tells messageNEON that it is to open, beside first and last.
const opening part = 4

// kernels lists what runs on this processor, best first. All that Go supports
// have NEON.
func kernels() []kernel { return []kernel{neon, portable} }

func (k kernel) String() string { return [...]string{"portable", "NEON"}[k] }

// The assembly takes pointers and lengths, of slices whose lengths were
// checked: dst and src have the tag where p says that it follows.

func (k kernel) seal(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) {
	if k == portable {
		s.sealPortable(dst, src, nonce, key, p)
		return
	}
	messageNEON(s, unsafe.SliceData(dst), unsafe.SliceData(src), len(src), nonce, key, p)
}

func (k kernel) open(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) bool {
	if k == portable {
		return s.openPortable(dst, src, nonce, key, p)
	}
	return messageNEON(s, unsafe.SliceData(dst), unsafe.SliceData(src), len(dst), nonce, key, p|opening)
}

func (k kernel) hChaCha(s *State, dst, key *[KeySize]byte, in *[16]byte, doubleRounds int) {
	if k == portable {
		s.hChaChaPortable(dst, key, in, doubleRounds)
		return
	}
	hChaChaNEON(dst, key, in, doubleRounds)
}

// withAdditional is the kernel for messages with additional data, of which the
// assembly knows none.
func withAdditional() kernel { return portable }

func (k kernel) absorb(s *State, additional []byte) { s.absorbPortable(additional) }

//go:noescape
func messageNEON(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part) bool

//go:noescape
func hChaChaNEON(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int)
