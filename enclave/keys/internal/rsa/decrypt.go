package rsa

import (
	"crypto"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
)

// MaxPlaintext returns the size in bytes of the longest plaintext that a key can
// decrypt, whatever the padding.
func MaxPlaintext(key []byte) (int, error) {
	k, err := split(key)
	if err != nil {
		return 0, err
	}
	return k.size() - 11, nil
}

// DecryptPKCS1v15 writes the plaintext of a ciphertext with RSAES-PKCS1-v1_5
// padding to dst, which must have room for MaxPlaintext bytes, and returns its
// size. It returns ErrDecryption if the ciphertext is not valid, and ErrFault.
//
// Whether it returns an error is enough to decrypt any ciphertext, for who can
// have many others tried (Bleichenbacher). DecryptPKCS1v15SessionKey does not
// tell.
func DecryptPKCS1v15(dst, key, ciphertext []byte, s *Scratch) (int, error) {
	defer s.Wipe()
	em, valid, index, err := s.decryptPKCS1v15(key, ciphertext)
	if err != nil {
		return 0, err
	}
	if valid == 0 {
		return 0, ErrDecryption
	}
	return give(dst, em[index:])
}

// DecryptPKCS1v15SessionKey overwrites session with the plaintext of a ciphertext
// with RSAES-PKCS1-v1_5 padding, if the ciphertext is valid and the plaintext has
// the size of session. If not, it leaves it alone. Which of both it did can't be
// seen from the time or the error, so the caller fills session with random bytes
// beforehand and goes on with what is in it. It returns ErrDecryption if the
// ciphertext is not a number below n or session is too long for the key, and
// ErrFault.
func DecryptPKCS1v15SessionKey(session, key, ciphertext []byte, s *Scratch) error {
	defer s.Wipe()
	k, err := split(key)
	if err != nil {
		return err
	}
	if len(session) > k.size()-11 {
		return ErrDecryption
	}
	em, valid, index, err := s.decryptPKCS1v15(key, ciphertext)
	if err != nil {
		return err
	}
	start := len(em) - len(session)
	valid &= subtle.ConstantTimeEq(int32(index), int32(start))
	subtle.ConstantTimeCopy(valid, session, em[start:])
	return nil
}

// decryptPKCS1v15 returns the encoded message, whether it is valid, and where in
// it the plaintext begins.
func (s *Scratch) decryptPKCS1v15(key, ciphertext []byte) (em []byte, valid, index int, err error) {
	k, err := split(key)
	if err != nil {
		return nil, 0, 0, err
	}
	if err := s.decrypt(&k, ciphertext); err != nil {
		return nil, 0, 0, err
	}
	// 0x00 || 0x02 || at least eight bytes that are not zero || 0x00 || plaintext
	em = s.em[:k.size()]
	valid = subtle.ConstantTimeByteEq(em[0], 0) & subtle.ConstantTimeByteEq(em[1], 2)
	found := 0
	for i := 2; i < len(em); i++ {
		zero := subtle.ConstantTimeByteEq(em[i], 0)
		index = subtle.ConstantTimeSelect(zero&^found, i+1, index)
		found |= zero
	}
	valid &= found & subtle.ConstantTimeLessOrEq(2+8+1, index)
	return em, valid, index, nil
}

// decrypt leaves what a ciphertext decrypts to in the Scratch's em.
func (s *Scratch) decrypt(k *parts, ciphertext []byte) error {
	switch err := s.private(k, ciphertext); err {
	case ErrMessage:
		return ErrDecryption
	default:
		return err
	}
}

// give copies a plaintext to the caller's memory.
func give(dst, plaintext []byte) (int, error) {
	if len(dst) < len(plaintext) {
		return 0, fmt.Errorf("%w: no room for a plaintext", ErrMessage)
	}
	return copy(dst, plaintext), nil
}

// DecryptOAEP writes the plaintext of a ciphertext with RSAES-OAEP padding to
// dst, which must have room for MaxPlaintext bytes, and returns its size. hash is
// the hash function of the label, which is not secret, and mgf that of MGF1; zero
// stands for the same. Both must be SHA-1, SHA-256, SHA-384 or SHA-512, else it
// returns ErrHash. It returns ErrDecryption if the ciphertext is not valid, in
// time that does not tell why, and ErrFault.
func DecryptOAEP(dst, key []byte, hash, mgf crypto.Hash, ciphertext, label []byte, s *Scratch) (int, error) {
	defer s.Wipe()
	k, err := split(key)
	if err != nil {
		return 0, err
	}
	if mgf == 0 {
		mgf = hash
	}
	h, err := s.hash(hash)
	if err != nil {
		return 0, err
	}
	m, err := s.hash(mgf)
	if err != nil {
		return 0, err
	}
	if err := s.decrypt(&k, ciphertext); err != nil {
		return 0, err
	}

	// 0x00 || maskedSeed || maskedDB, with
	// DB = hash of the label || 0x00 … || 0x01 || plaintext (RFC 8017, 7.1.2)
	em := s.em[:k.size()]
	seed, db := em[1:1+h.Size()], em[1+h.Size():]
	s.mask(seed, m, db)
	s.mask(db, m, seed)

	labelHash := s.digest[:h.Size()]
	h.Reset()
	h.Write(label)
	h.Sum(labelHash)
	valid := subtle.ConstantTimeByteEq(em[0], 0) & subtle.ConstantTimeCompare(labelHash, db[:h.Size()])
	rest := db[h.Size():]
	found, index := 0, 0
	for i, b := range rest {
		zero, one := subtle.ConstantTimeByteEq(b, 0), subtle.ConstantTimeByteEq(b, 1)
		index = subtle.ConstantTimeSelect(one&^found, i+1, index)
		valid &= found | zero | one
		found |= one
	}
	if valid&found == 0 {
		return 0, ErrDecryption
	}
	return give(dst, rest[index:])
}

// mask XORs MGF1 of the seed into b.
func (s *Scratch) mask(b []byte, h *hashing.Hash, seed []byte) {
	mask(b, h.Size(), func(dst []byte, counter uint32) {
		binary.BigEndian.PutUint32(s.counter, counter)
		h.Reset()
		h.Write(seed)
		h.Write(s.counter)
		h.Sum(dst)
	}, s.digest)
}
