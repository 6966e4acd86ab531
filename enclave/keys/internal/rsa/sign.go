package rsa

import (
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ErrHash means that a hash function is not supported or not linked in, or that
// a digest is not one of its digests.
var ErrHash = errors.New("rsa: hash function not supported")

// nist is the arc of NIST's hash functions (RFC 8017, appendix B.1, and
// RFC 9688, section 2).
const nist = "\x60\x86\x48\x01\x65\x03\x04\x02"

// identifiers are the hash functions' object identifiers, in DER.
var identifiers = map[crypto.Hash]string{
	crypto.SHA1:       "\x2b\x0e\x03\x02\x1a",
	crypto.SHA224:     nist + "\x04",
	crypto.SHA256:     nist + "\x01",
	crypto.SHA384:     nist + "\x02",
	crypto.SHA512:     nist + "\x03",
	crypto.SHA512_224: nist + "\x05",
	crypto.SHA512_256: nist + "\x06",
	crypto.SHA3_224:   nist + "\x07",
	crypto.SHA3_256:   nist + "\x08",
	crypto.SHA3_384:   nist + "\x09",
	crypto.SHA3_512:   nist + "\x0a",
}

// digestInfo returns the digest with the name of its hash function:
//
//	DigestInfo ::= SEQUENCE { digestAlgorithm AlgorithmIdentifier, digest OCTET STRING }
//
// or the digest itself for no hash function, and for MD5SHA1, which TLS 1.1 signs
// without a name.
func digestInfo(hash crypto.Hash, digest []byte) ([]byte, error) {
	if hash == 0 {
		return digest, nil
	}
	identifier, ok := identifiers[hash]
	if !ok && hash != crypto.MD5SHA1 {
		return nil, fmt.Errorf("%w: %v", ErrHash, hash)
	}
	if len(digest) != hash.Size() {
		return nil, fmt.Errorf("%w: %d bytes are no digest of %v", ErrHash, len(digest), hash)
	}
	if !ok {
		return digest, nil
	}
	var b cryptobyte.Builder
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cryptobyte_asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) {
				b.AddBytes([]byte(identifier))
			})
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(digest)
	})
	return b.Bytes()
}

// SignPKCS1v15 appends the RSASSA-PKCS1-v1_5 signature of digest to dst. hash is
// the function that the digest was made with; zero signs digest as it is. It
// returns ErrHash, ErrMessage or ErrFault.
func SignPKCS1v15(dst, key []byte, hash crypto.Hash, digest []byte, s *Scratch) ([]byte, error) {
	k, err := split(key)
	if err != nil {
		return nil, err
	}
	info, err := digestInfo(hash, digest)
	if err != nil {
		return nil, err
	}
	// 0x00 || 0x01 || 0xff … || 0x00 || DigestInfo
	em := make([]byte, k.size())
	padding := len(em) - len(info) - 3
	if padding < 8 {
		return nil, ErrMessage
	}
	em[1] = 1
	for i := range padding {
		em[2+i] = 0xff
	}
	copy(em[3+padding:], info)
	return s.sign(dst, &k, em)
}

// sign appends the signature of an encoded message, which is not secret.
func (s *Scratch) sign(dst []byte, k *parts, em []byte) ([]byte, error) {
	defer s.Wipe()
	if err := s.private(k, em); err != nil {
		return nil, err
	}
	return append(dst, s.em[:k.size()]...), nil
}

// SaltSize returns the size of the salt of a PSS signature that an option of
// crypto/rsa's PSSOptions stands for: as large as possible for zero, as large as
// the digest for minus one, and otherwise the option.
func SaltSize(key []byte, hash crypto.Hash, option int) (int, error) {
	k, err := split(key)
	if err != nil {
		return 0, err
	}
	if !hash.Available() {
		return 0, fmt.Errorf("%w: %v", ErrHash, hash)
	}
	largest := k.size() - hash.Size() - 2
	switch {
	case option == 0:
		option = largest
	case option == -1:
		option = hash.Size()
	}
	if option < 0 || option > largest {
		return 0, fmt.Errorf("%w: a salt of %d bytes", ErrMessage, option)
	}
	return option, nil
}

// SignPSS appends the RSASSA-PSS signature of digest to dst, with MGF1 and the
// hash function that the digest was made with. The salt is of SaltSize random
// bytes; it is part of the signature. It returns ErrHash, ErrMessage or ErrFault.
func SignPSS(dst, key []byte, hash crypto.Hash, digest, salt []byte, s *Scratch) ([]byte, error) {
	k, err := split(key)
	if err != nil {
		return nil, err
	}
	if !hash.Available() || len(digest) != hash.Size() {
		return nil, fmt.Errorf("%w: %d bytes, %v", ErrHash, len(digest), hash)
	}
	// maskedDB || H || 0xbc, with DB = 0x00 … || 0x01 || salt (RFC 8017, 9.1.1).
	// The size of n in bits is a multiple of eight, so em is as long as n.
	em := make([]byte, k.size())
	db, h := em[:len(em)-len(digest)-1], em[len(em)-len(digest)-1:len(em)-1]
	if len(salt)+1 > len(db) {
		return nil, ErrMessage
	}
	em[len(em)-1] = 0xbc
	db[len(db)-len(salt)-1] = 1
	copy(db[len(db)-len(salt):], salt)

	function := hash.New()
	function.Write(make([]byte, 8))
	function.Write(digest)
	function.Write(salt)
	function.Sum(h[:0])
	mask(db, len(digest), func(dst []byte, counter uint32) {
		function.Reset()
		function.Write(h)
		function.Write(binary.BigEndian.AppendUint32(nil, counter))
		function.Sum(dst[:0])
	}, make([]byte, len(digest)))
	db[0] &= 0x7f
	return s.sign(dst, &k, em)
}

// mask XORs MGF1 (RFC 8017, B.2.1) into b. hash writes the digest of the seed and
// a counter to its argument, for which tmp is used.
func mask(b []byte, size int, hash func(dst []byte, counter uint32), tmp []byte) {
	for counter := uint32(0); len(b) > 0; counter++ {
		hash(tmp[:size], counter)
		for i := range min(size, len(b)) {
			b[i] ^= tmp[i]
		}
		b = b[min(size, len(b)):]
	}
}
