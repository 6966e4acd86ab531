package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"

	"filippo.io/edwards25519"

	"github.com/memkeep/memkeep/enclave/keys/internal/blockhash"
	"github.com/memkeep/memkeep/enclave/keys/internal/registers"
)

// What is sealed of an Ed25519 key is not its seed but what the seed expands to
// (RFC 8032, 5.1.5), so that the seed is in the clear once and never again:
//
//	[ scalar 32, not clamped yet | prefix 32 | public key 32 ]
//
// The public key is there because a signature with a wrong one gives the scalar
// away. What is sealed can't be changed unnoticed.
const (
	edScalarSize = 32
	edPublicAt   = 2 * edScalarSize
	edSealedSize = edPublicAt + ed25519.PublicKeySize

	edScratchSize = blockhash.ScratchSize + sha512.Size
)

// expandEd25519 writes what is sealed of the seed to dst. A public key that is
// not nil must be the seed's.
func expandEd25519(dst, seed, public []byte, memory arena) error {
	if err := blockhash.Check(crypto.SHA512, memory[:blockhash.ScratchSize]); err != nil {
		return err
	}
	h := blockhash.New(crypto.SHA512, memory.cut(blockhash.ScratchSize))
	h.Write(seed)
	h.Sum(dst)

	// Its words are on the stack, which is overwritten.
	scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(dst[:edScalarSize])
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	registers.Clear()
	copy(dst[edPublicAt:edSealedSize], new(edwards25519.Point).ScalarBaseMult(scalar).Bytes())
	h.Forget()
	if public != nil && subtle.ConstantTimeCompare(public, dst[edPublicAt:edSealedSize]) == 0 {
		return ErrMismatch
	}
	return nil
}

// signEd25519 signs with the options of [ed25519.PrivateKey.Sign].
func (k *PrivateKey) signEd25519(message []byte, opts crypto.SignerOpts) ([]byte, error) {
	domain, err := ed25519Domain(message, opts)
	if err != nil {
		return nil, err
	}
	signature := make([]byte, ed25519.SignatureSize)
	err = k.use(edScratchSize, func(secret []byte, memory arena) error {
		return signEd25519(signature, secret, domain, message, memory)
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

// signEd25519 signs as RFC 8032, 5.1.6 has it. The names in the comments are the
// RFC's.
func signEd25519(signature, secret, domain, message []byte, memory arena) error {
	prefix, public := secret[edScalarSize:edPublicAt], secret[edPublicAt:edSealedSize]
	h := blockhash.New(crypto.SHA512, memory.cut(blockhash.ScratchSize))
	defer h.Forget()

	// r = SHA-512(dom2 || prefix || M)
	digest := memory.cut(sha512.Size)
	h.Write(domain)
	h.Write(prefix)
	h.Write(message)
	h.Sum(digest)
	var nonce, challenge, scalar edwards25519.Scalar
	if _, err := nonce.SetUniformBytes(digest); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	registers.Clear()
	// R = [r]B. The coordinates tell more of r than their encoding does.
	copy(signature, new(edwards25519.Point).ScalarBaseMult(&nonce).Bytes())

	// k = SHA-512(dom2 || R || A || M), all of it public
	h.Reset()
	h.Write(domain)
	h.Write(signature[:32])
	h.Write(public)
	h.Write(message)
	h.Sum(digest)
	if _, err := challenge.SetUniformBytes(digest); err != nil {
		return fmt.Errorf("keys: %w", err)
	}

	// S = r + k * s
	if _, err := scalar.SetBytesWithClamping(secret[:edScalarSize]); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	registers.Clear()
	copy(signature[32:], scalar.MultiplyAdd(&challenge, &scalar, &nonce).Bytes())
	return nil
}
