package keys

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/memkeep/memkeep/enclave/keys/internal/isolate"
	"github.com/memkeep/memkeep/enclave/keys/internal/keyfile"
	flat "github.com/memkeep/memkeep/enclave/keys/internal/rsa"
	"github.com/memkeep/memkeep/internal/random"
)

// What is sealed of an RSA key is the flat form of the package flat: primes,
// exponents and modulus.

const (
	// maxRSASize is the size of the flat form of 4,096 bits, and
	// minRSAFile less than any file of 2,048 bits has.
	maxRSASize = 7*4096/16 + 4
	minRSAFile = 1 << 10

	rsaScratchSize = maxRSASize + flat.MemorySize
)

// algorithmRSA returns the algorithm of a modulus of that many bytes.
func algorithmRSA(size int) (Algorithm, error) {
	switch 8 * size {
	case 2048:
		return RSA2048, nil
	case 3072:
		return RSA3072, nil
	case 4096:
		return RSA4096, nil
	}
	return 0, fmt.Errorf("%w: an RSA key of %d bits, want 2048, 3072 or 4096", ErrUnsupported, 8*size)
}

// generateRSA makes an RSA key.
func (s Session) generateRSA(ctx context.Context, alg Algorithm) (*PrivateKey, error) {
	size, err := flat.KeySize(alg.Bits())
	if err != nil {
		return nil, err
	}
	k := &PrivateKey{alg: alg, in: Session{enclaves: s.enclaves}}
	err = s.scratch(size+flat.MemorySize, func(memory []byte) error {
		return isolate.Do(isolate.Large, func() error {
			rest := arena(memory)
			sealed := rest.cut(size)
			scratch, err := flat.NewScratchIn(rest)
			if err != nil {
				return err
			}
			// Making a key asks for random bytes hundreds of times.
			if err := flat.Generate(sealed, func(b []byte) error {
				random.Bytes(b)
				return context.Cause(ctx)
			}, scratch); err != nil {
				return err
			}
			return k.sealRSA(sealed)
		})
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// sealRSA seals the flat form.
func (k *PrivateKey) sealRSA(sealed []byte) error {
	n, e, err := flat.Public(sealed)
	if err != nil {
		return err
	}
	k.public = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: e}
	k.sealed, err = k.in.session().NewCopy(sealed)
	return err
}

// expandRSA returns the flat form of a key that was read, in memory, and the
// algorithm.
func expandRSA(raw keyfile.Key, memory arena) ([]byte, Algorithm, error) {
	alg, err := algorithmRSA(len(raw.N))
	if err != nil {
		return nil, 0, err
	}
	size, err := flat.KeySize(alg.Bits())
	if err != nil {
		return nil, 0, err
	}
	if len(memory) < size+flat.MemorySize {
		return nil, 0, ErrFormat
	}
	e, err := exponentRSA(raw.E)
	if err != nil {
		return nil, 0, err
	}
	sealed := memory.cut(size)
	scratch, err := flat.NewScratchIn(memory)
	if err != nil {
		return nil, 0, err
	}
	err = flat.Precompute(sealed, &flat.Parts{
		N: raw.N, E: e, D: raw.D, P: raw.P, Q: raw.Q, DP: raw.DP, DQ: raw.DQ, QInv: raw.QInv,
	}, func(b []byte) error {
		random.Bytes(b)
		return nil
	}, scratch)
	if errors.Is(err, flat.ErrKey) || errors.Is(err, flat.ErrSize) {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return sealed, alg, err
}

// exponentRSA returns a public exponent that is supported. Keys with small ones, 3
// before all, are well-formed and in use, but no new ones should be made. What is long
// is not repeated: in a malformed key it may be anything.
func exponentRSA(b []byte) (int, error) {
	if len(b) > 4 {
		return 0, fmt.Errorf("%w: an RSA public exponent of %d bytes, want 4 at most", ErrUnsupported, len(b))
	}
	e := uint64(0)
	for _, digit := range b {
		e = e<<8 | uint64(digit)
	}
	switch {
	case e%2 == 0 || e == 1:
		return 0, fmt.Errorf("%w: the RSA public exponent is %d", ErrFormat, e)
	case e < flat.MinExponent || e > flat.MaxExponent:
		return 0, fmt.Errorf("%w: the RSA public exponent is %d, want %d to %d", ErrUnsupported, e, flat.MinExponent, flat.MaxExponent)
	}
	return int(e), nil
}

// signRSA signs with PSS if the options are PSS's, and otherwise with PKCS #1
// v1.5.
func (k *PrivateKey) signRSA(digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	err = k.useRSA(func(key []byte, s *flat.Scratch) error {
		o, ok := opts.(*rsa.PSSOptions)
		if !ok {
			hash := crypto.Hash(0)
			if opts != nil {
				hash = opts.HashFunc()
			}
			signature, err = flat.SignPKCS1v15(nil, key, hash, digest, s)
			return err
		}
		size, err := flat.SaltSize(key, o.HashFunc(), o.SaltLength)
		if err != nil {
			return err
		}
		salt := make([]byte, size) // part of the signature
		random.Bytes(salt)
		signature, err = flat.SignPSS(nil, key, o.HashFunc(), digest, salt, s)
		return err
	})
	return signature, err
}

// Decrypt decrypts msg with an RSA key, as [rsa.PrivateKey.Decrypt] does with the
// same opts: OAEP with *rsa.OAEPOptions, and PKCS #1 v1.5 with nil or
// *rsa.PKCS1v15DecryptOptions. OAEP takes SHA-1, SHA-256, SHA-384 and SHA-512.
//
// A ciphertext that does not decrypt is [rsa.ErrDecryption]. With PKCS #1 v1.5
// that error is enough for an attacker to decrypt any ciphertext: set
// SessionKeyLen, or use OAEP.
//
// rand is not read: random bytes come from the system. It waits for locked memory
// as [enclave.Enclave.Use] does. The other errors are [ErrUnsupported], which every
// key but an RSA key returns, and those of that Use.
//
// The type of opts keeps a PrivateKey from being a [crypto.Decrypter], whose opts are
// a [crypto.DecrypterOpts]. A TLS 1.2 server assumes that any key that is a
// crypto.Decrypter is an RSA key, and then refuses an ECDSA or Ed25519 key. Where a
// crypto.Decrypter is needed, [PrivateKey.Decrypter] returns one.
func (k *PrivateKey) Decrypt(rand io.Reader, msg []byte, opts any) ([]byte, error) {
	if k == nil || k.public == nil {
		return nil, errZero
	}
	if !k.alg.isRSA() {
		return nil, k.unsupported("decrypt")
	}
	var plaintext []byte
	err := k.useRSA(func(key []byte, s *flat.Scratch) (err error) {
		plaintext, err = decryptRSA(key, msg, opts, s)
		return err
	})
	if errors.Is(err, flat.ErrDecryption) {
		return nil, rsa.ErrDecryption
	}
	if err != nil {
		return nil, err
	}
	return plaintext, nil
}

// A Decrypter is an RSA key as a [crypto.Decrypter]: see [PrivateKey.Decrypter]. It
// signs too.
type Decrypter struct{ *PrivateKey }

// Decrypter returns the key as a [crypto.Decrypter] if it is an RSA key, and
// otherwise [ErrUnsupported].
func (k *PrivateKey) Decrypter() (Decrypter, error) {
	if k == nil || k.public == nil {
		return Decrypter{}, errZero
	}
	if !k.alg.isRSA() {
		return Decrypter{}, k.unsupported("decrypt")
	}
	return Decrypter{k}, nil
}

// Decrypt decrypts msg as [PrivateKey.Decrypt] does.
func (d Decrypter) Decrypt(rand io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return d.PrivateKey.Decrypt(rand, msg, opts)
}

func decryptRSA(key, msg []byte, opts any, s *flat.Scratch) ([]byte, error) {
	size, err := flat.MaxPlaintext(key)
	if err != nil {
		return nil, err
	}
	switch o := opts.(type) {
	case *rsa.OAEPOptions:
		plaintext := make([]byte, size)
		n, err := flat.DecryptOAEP(plaintext, key, o.Hash, o.MGFHash, msg, o.Label, s)
		return plaintext[:n], err
	//lint:ignore SA1019 what crypto.Decrypter's callers still pass, TLS 1.2 among them
	case *rsa.PKCS1v15DecryptOptions:
		if o.SessionKeyLen > 0 {
			session := make([]byte, o.SessionKeyLen)
			random.Bytes(session)
			return session, flat.DecryptPKCS1v15SessionKey(session, key, msg, s)
		}
	case nil:
	default:
		return nil, fmt.Errorf("%w: the options %T", ErrUnsupported, opts)
	}
	plaintext := make([]byte, size)
	n, err := flat.DecryptPKCS1v15(plaintext, key, msg, s)
	return plaintext[:n], err
}

// useRSA runs fn on the opened key.
func (k *PrivateKey) useRSA(fn func(key []byte, s *flat.Scratch) error) error {
	err := k.use(flat.MemorySize, func(key []byte, memory arena) error {
		s, err := flat.NewScratchIn(memory)
		if err != nil {
			return err
		}
		return fn(key, s) // which wipes s
	})
	if errors.Is(err, flat.ErrHash) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

var (
	_ crypto.Decrypter = Decrypter{}
	_ crypto.Signer    = Decrypter{}
)
