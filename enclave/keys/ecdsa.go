package keys

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/subtle"
	"fmt"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys/internal/ec"
	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// What is sealed of a key on a curve is its scalar, big-endian; of an X25519 key
// its 32 bytes.

const (
	entropySize   = 32
	maxScalarSize = 48
	maxPointSize  = 1 + 2*maxScalarSize
	ecScratchSize = ec.MemorySize + entropySize
)

// curve returns the key's curve, 0 if it is on none.
func (a Algorithm) curve() ec.Curve {
	switch a {
	case ECDSAP256:
		return ec.P256
	case ECDSAP384:
		return ec.P384
	}
	return 0
}

// expandEC writes the scalar to dst and returns its public key. A public key that
// is not nil must be the scalar's.
func expandEC(dst, scalar, public []byte, c ec.Curve, memory arena) (*ecdsa.PublicKey, error) {
	if len(scalar) > len(dst) {
		return nil, ErrFormat
	}
	clear(dst)
	xchacha.Copy(dst[len(dst)-len(scalar):], scalar)
	s, err := ec.NewScratchIn(memory.cut(ec.MemorySize))
	if err != nil {
		return nil, err
	}
	defer s.Wipe()
	point := make([]byte, c.PublicSize())
	if err := c.PublicFromScalar(point, dst, s); err != nil {
		return nil, fmt.Errorf("%w: the scalar is not between 0 and the curve's order", ErrFormat)
	}
	if public != nil && !bytes.Equal(public, point) && !bytes.Equal(public, compressed(point)) {
		return nil, ErrMismatch
	}
	curve := elliptic.P256()
	if c == ec.P384 {
		curve = elliptic.P384()
	}
	return ecdsa.ParseUncompressedPublicKey(curve, point)
}

// compressed returns a point, which is public, in its compressed form: SEC 1, 2.3.3.
func compressed(point []byte) []byte {
	x := point[1 : 1+len(point)/2]
	return append([]byte{2 + point[len(point)-1]&1}, x...)
}

// expandX25519 writes the scalar to dst and returns its public key. A public key
// that is not nil must be the scalar's.
func expandX25519(dst, scalar, public []byte, memory arena) (*ecdh.PublicKey, error) {
	xchacha.Copy(dst, scalar)
	s, err := ec.NewScratchIn(memory.cut(ec.MemorySize))
	if err != nil {
		return nil, err
	}
	defer s.Wipe()
	point := make([]byte, ec.X25519Size)
	if err := ec.X25519Public(point, dst, s); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if public != nil && subtle.ConstantTimeCompare(public, point) == 0 {
		return nil, ErrMismatch
	}
	return ecdh.X25519().NewPublicKey(point)
}

// signECDSA returns the signature in ASN.1 DER.
func (k *PrivateKey) signECDSA(digest []byte) (signature []byte, err error) {
	err = k.use(ecScratchSize, func(scalar []byte, memory arena) (err error) {
		signature, err = signEC(scalar, digest, k.alg.curve(), memory)
		return err
	})
	return signature, err
}

// signEC is signECDSA with the opened key.
func signEC(scalar, digest []byte, c ec.Curve, memory arena) ([]byte, error) {
	s, err := ec.NewScratchIn(memory.cut(ec.MemorySize))
	if err != nil {
		return nil, err
	}
	defer s.Wipe()
	entropy := memory.cut(entropySize)
	random.Bytes(entropy)
	return c.Sign(nil, scalar, digest, entropy, s)
}

// ECDH agrees with the owner of remote on a secret, which stays sealed: an enclave
// of its x-coordinate, as [ecdh.PrivateKey.ECDH] returns it. The key must be an
// X25519 or P-256 key, and remote of the same kind; anything else is
// [ErrUnsupported]. A remote key of a small order is an error.
//
// It waits for locked memory as [enclave.Enclave.Use] does, and returns the errors
// of that.
func (k *PrivateKey) ECDH(remote *ecdh.PublicKey) (*enclave.Enclave, error) {
	if k == nil {
		return nil, errZero
	}
	var curve ecdh.Curve
	switch k.alg {
	case X25519:
		curve = ecdh.X25519()
	case ECDSAP256:
		curve = ecdh.P256()
	default:
		return nil, k.unsupported("agree on secrets")
	}
	if remote == nil || remote.Curve() != curve {
		return nil, fmt.Errorf("%w: the public key is not on the curve of the %v key", ErrUnsupported, k.alg)
	}
	point := remote.Bytes()
	var e *enclave.Enclave
	err := k.use(ec.MemorySize+ec.X25519Size, func(scalar []byte, memory arena) error {
		secret := memory.cut(ec.X25519Size)
		if err := agree(secret, scalar, point, k.alg, memory); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		var err error
		e, err = k.in.session().NewCopy(secret)
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// agree writes the secret that the scalar and a public key agree on to dst.
func agree(dst, scalar, point []byte, alg Algorithm, memory arena) error {
	s, err := ec.NewScratchIn(memory.cut(ec.MemorySize))
	if err != nil {
		return err
	}
	defer s.Wipe()
	if alg == X25519 {
		return ec.X25519(dst, scalar, point, s)
	}
	return ec.P256.ECDH(dst, scalar, point, s)
}
