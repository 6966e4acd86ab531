package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"

	"filippo.io/edwards25519"

	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// What is sealed of an Ed25519 key is not its seed but what the seed expands to
// (RFC 8032, 5.1.5), so that the seed is in the clear once and never again:
//
//	[ scalar 32, modulo the order | prefix 32 | public key 32 ]
//
// The public key is there because a signature with a wrong one gives the scalar
// away. What is sealed can't be changed unnoticed.
const (
	edScalarSize = 32
	edPublicAt   = 2 * edScalarSize
	edSealedSize = edPublicAt + ed25519.PublicKeySize

	edScratchSize = hashing.MemorySize + 2*sha512.Size + edScalarSize
)

// expandEd25519 writes what is sealed of the seed to dst, and returns the public
// key. One that is given and not nil must be the seed's.
func expandEd25519(dst, seed, public []byte, memory arena) (ed25519.PublicKey, error) {
	h, err := hashing.New(crypto.SHA512, memory.cut(hashing.MemorySize))
	if err != nil {
		return nil, err
	}
	defer h.Forget()
	wide := memory.cut(sha512.Size)
	h.Write(seed)
	h.Sum(wide)
	xchacha.Copy(dst[edScalarSize:edPublicAt], wide[edScalarSize:])

	// Clamped, it is more than the order, and reduced as a wide number is.
	clear(wide[edScalarSize:])
	wide[0] &= 248
	wide[31] = wide[31]&127 | 64
	var scalar edwards25519.Scalar
	if err := setWide(&scalar, wide, memory.cut(edScalarSize)); err != nil {
		return nil, err
	}
	putScalar(dst, &scalar)
	var affine affine25519
	if !affine.set(new(edwards25519.Point).ScalarBaseMult(&scalar)) {
		return nil, errFault
	}
	point := affine.append(nil)
	copy(dst[edPublicAt:edSealedSize], point)
	if public != nil && subtle.ConstantTimeCompare(public, point) == 0 {
		return nil, ErrMismatch
	}
	return point, nil
}

// signEd25519 signs with the options of [ed25519.PrivateKey.Sign].
func (k *PrivateKey) signEd25519(message []byte, opts crypto.SignerOpts) ([]byte, error) {
	domain, err := ed25519Domain(message, opts)
	if err != nil {
		return nil, err
	}
	public, ok := k.public.(ed25519.PublicKey)
	if !ok {
		return nil, errZero
	}
	signature := make([]byte, ed25519.SignatureSize)
	err = k.use(edScratchSize, func(secret []byte, memory arena) error {
		var s signing25519
		return s.sign(signature, secret, public, domain, message, memory)
	})
	if err != nil {
		return nil, err
	}
	return signature, nil
}

// ed25519Domain returns what is hashed before all else: dom2 of RFC 8032, 5.1,
// nothing for plain Ed25519.
func ed25519Domain(message []byte, opts crypto.SignerOpts) ([]byte, error) {
	context, hash := "", crypto.Hash(0)
	if opts != nil {
		hash = opts.HashFunc()
	}
	if o, ok := opts.(*ed25519.Options); ok {
		context = o.Context
	}
	if len(context) > 255 {
		return nil, fmt.Errorf("%w: an Ed25519 context of %d bytes", ErrUnsupported, len(context))
	}
	flag := byte(0)
	switch {
	case hash == crypto.SHA512 && len(message) != sha512.Size:
		return nil, fmt.Errorf("keys: a digest of %d bytes for Ed25519ph, which signs SHA-512", len(message))
	case hash == crypto.SHA512:
		flag = 1
	case hash != 0:
		return nil, fmt.Errorf("%w: Ed25519 of %v", ErrUnsupported, hash)
	case context == "":
		return nil, nil
	}
	domain := append([]byte("SigEd25519 no Ed25519 collisions"), flag, byte(len(context)))
	return append(domain, context...), nil
}

// setWide sets s to a 64-byte little-endian number modulo the order, as its
// SetUniformBytes does. That one copies the number through vector registers, where
// it would stay until the end of the signature. part is 32 bytes to work in.
func setWide(s *edwards25519.Scalar, wide, part []byte) error {
	const size = 21 // as many bytes are always less than the order
	clear(part)
	part[size] = 1
	shift, err := new(edwards25519.Scalar).SetCanonicalBytes(part)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	*s = edwards25519.Scalar{}
	var term edwards25519.Scalar
	for _, piece := range [...][]byte{wide[2*size:], wide[size : 2*size], wide[:size]} {
		clear(part)
		xchacha.Copy(part, piece)
		if _, err := term.SetCanonicalBytes(part); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		s.Multiply(s, shift).Add(s, &term)
	}
	return nil
}

// putScalar writes s to dst, little-endian.
func putScalar(dst []byte, s *edwards25519.Scalar) {
	xchacha.Copy(dst[:edScalarSize], s.Bytes())
}
