//go:build purego || !(amd64 || arm64)

package xchacha

// kernels lists what runs on this processor, best first.
func kernels() []kernel { return []kernel{portable} }

func (k kernel) String() string { return "portable" }

func (k kernel) seal(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) {
	s.sealPortable(dst, src, nonce, key, p)
}

func (k kernel) open(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) bool {
	return s.openPortable(dst, src, nonce, key, p)
}

func (k kernel) hChaCha(s *State, dst, key *[KeySize]byte, in *[16]byte, doubleRounds int) {
	s.hChaChaPortable(dst, key, in, doubleRounds)
}

// withAdditional is the kernel for messages with additional data.
func withAdditional() kernel { return portable }

func (k kernel) absorb(s *State, additional []byte) { s.absorbPortable(additional) }
