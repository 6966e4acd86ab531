package xchacha

import "encoding/binary"

// Additional data is the business of portable Go on every processor: the assembly
// knows of none. So a message with some is slower, and what the compiler spills of
// single words stays on the goroutine's stack: to overwrite that is the caller's
// part. Nothing else is left behind.

// SealWith is Seal that also authenticates additional data. None of the three may
// overlap another, but dst and plaintext may begin at the same byte.
func (s *State) SealWith(dst, plaintext, additional []byte, nonce *[NonceSize]byte, key *Shares) {
	if len(additional) == 0 {
		s.Seal(dst, plaintext, nonce, key)
		return
	}
	if len(dst)-TagSize != len(plaintext) {
		panic("xchacha: internal error: wrong length to seal")
	}
	checkMessage(dst, plaintext, len(plaintext))
	s.beginWith(additional, nonce, key)
	s.length = uint64(len(plaintext))
	for len(plaintext) > 0 {
		n := s.xor(dst, plaintext)
		s.absorb(dst[:n])
		dst, plaintext = dst[n:], plaintext[n:]
	}
	s.tagWith(uint64(len(additional)))
	binary.LittleEndian.PutUint64(dst, s.h[0])
	binary.LittleEndian.PutUint64(dst[8:], s.h[1])
	s.Wipe()
}

// OpenWith is Open of what SealWith made with the same additional data. It
// decrypts nothing before it knows that the ciphertext is authentic.
func (s *State) OpenWith(dst, ciphertext, additional []byte, nonce *[NonceSize]byte, key *Shares) bool {
	if len(additional) == 0 {
		return s.Open(dst, ciphertext, nonce, key)
	}
	if len(ciphertext) < TagSize {
		clear(dst)
		return false
	}
	if len(dst) != len(ciphertext)-TagSize {
		panic("xchacha: internal error: wrong length to open")
	}
	checkMessage(dst, ciphertext, len(dst))
	defer s.Wipe()
	s.beginWith(additional, nonce, key)
	src, tag := ciphertext[:len(dst)], ciphertext[len(dst):]
	s.length = uint64(len(dst))
	s.absorbAll(src)
	s.tagWith(uint64(len(additional)))
	differ := s.h[0] ^ binary.LittleEndian.Uint64(tag)
	differ |= s.h[1] ^ binary.LittleEndian.Uint64(tag[8:])
	if differ != 0 {
		clear(dst)
		return false
	}
	for len(dst) > 0 {
		n := s.xor(dst, src)
		dst, src = dst[n:], src[n:]
	}
	return true
}

// beginWith begins a message, and absorbs its additional data.
func (s *State) beginWith(additional []byte, nonce *[NonceSize]byte, key *Shares) {
	s.begin(nonce, key)
	s.absorbAll(additional)
}

// absorbAll adds b to the Poly1305 accumulator, the last block of it padded with
// zeros.
func (s *State) absorbAll(b []byte) {
	for len(b) > 0 {
		n := min(16, len(b))
		s.absorb(b[:n])
		b = b[n:]
	}
}
