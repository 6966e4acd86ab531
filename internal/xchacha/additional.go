package xchacha

import "github.com/memkeep/memkeep/internal/sigframe"

// AdditionalAssembly says whether SealWith and OpenWith are assembly here.
func AdditionalAssembly() bool { return withAdditional() != portable }

// SealWith is Seal that also authenticates additional data. None of the three may
// overlap another, but dst and plaintext may begin at the same byte.
//
// On amd64 it leaves no more behind than Seal does. On arm64 the assembly knows of
// no additional data, so a message with some is the portable kernel's: it is slower,
// and what the compiler spills of single words stays on the goroutine's stack,
// which the caller has to overwrite.
func (s *State) SealWith(dst, plaintext, additional []byte, nonce *[NonceSize]byte, key *Shares) {
	if len(additional) == 0 {
		s.Seal(dst, plaintext, nonce, key)
		return
	}
	defer sigframe.Mark()
	withAdditional().sealWith(s, dst, plaintext, additional, nonce, key)
}

// OpenWith is Open of what SealWith made with the same additional data.
func (s *State) OpenWith(dst, ciphertext, additional []byte, nonce *[NonceSize]byte, key *Shares) bool {
	if len(additional) == 0 {
		return s.Open(dst, ciphertext, nonce, key)
	}
	defer sigframe.Mark()
	return withAdditional().openWith(s, dst, ciphertext, additional, nonce, key)
}

// Additional data comes between the key and the message, so the first part of such
// a message is empty. It leaves a block of keystream at hand, which the part
// after it uses up beside whole streams.
const partAfterAdditional = partSize - streamSize + blockSize

func (k kernel) sealWith(s *State, dst, src, additional []byte, nonce *[NonceSize]byte, key *Shares) {
	if len(dst)-TagSize != len(src) {
		panic("xchacha: internal error: wrong length to seal")
	}
	checkMessage(dst, src, len(src))
	k.seal(s, dst, src[:0], nonce, key, first)
	k.absorbParts(s, additional)
	n := partAfterAdditional
	for len(src) > n {
		k.seal(s, dst, src[:n], nonce, key, 0)
		dst, src = dst[n:], src[n:]
		n = partSize
	}
	k.seal(s, dst, src, nonce, key, last)
}

func (k kernel) openWith(s *State, dst, src, additional []byte, nonce *[NonceSize]byte, key *Shares) bool {
	if len(src) < TagSize {
		clear(dst)
		return false
	}
	if len(dst) != len(src)-TagSize {
		panic("xchacha: internal error: wrong length to open")
	}
	checkMessage(dst, src, len(dst))
	all := dst
	k.open(s, dst[:0], src, nonce, key, first)
	k.absorbParts(s, additional)
	n := partAfterAdditional
	for len(dst) > n {
		k.open(s, dst[:n], src, nonce, key, 0)
		dst, src = dst[n:], src[n:]
		n = partSize
	}
	if !k.open(s, dst, src, nonce, key, last) {
		clear(all)
		return false
	}
	return true
}

// absorbParts adds all additional data to the accumulator, a part a call.
func (k kernel) absorbParts(s *State, additional []byte) {
	for len(additional) > partSize {
		k.absorb(s, additional[:partSize])
		additional = additional[partSize:]
	}
	k.absorb(s, additional)
}

// absorbPortable adds additional data to the accumulator, the last block of it
// padded with zeros.
func (s *State) absorbPortable(b []byte) {
	s.additional += uint64(len(b))
	for len(b) > 0 {
		n := min(16, len(b))
		s.absorb(b[:n])
		b = b[n:]
	}
}
