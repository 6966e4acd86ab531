package keys

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys/internal/ec"
	"github.com/memkeep/memkeep/enclave/keys/internal/isolate"
	"github.com/memkeep/memkeep/enclave/keys/internal/keyfile"
	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// maxKeyFile is the size of the largest key that is parsed, in bytes: an RSA key
// of 4,096 bits has less than 4 KiB as PEM.
const maxKeyFile = 16 << 10

// Generate makes a key of random bytes that never leave locked memory. Making an
// RSA key takes from tenths of a second to many seconds. It waits for locked
// memory until ctx ends, and then returns its cause. Making an RSA key stops when ctx
// ends, too.
func (s Session) Generate(ctx context.Context, alg Algorithm) (*PrivateKey, error) {
	s.ctx = ctx
	switch alg {
	case Ed25519:
		return s.generate(keyfile.Ed25519, ed25519.SeedSize)
	case X25519:
		return s.generate(keyfile.X25519, ec.X25519Size)
	case ECDSAP256, ECDSAP384:
		return s.generateEC(alg)
	case RSA2048, RSA3072, RSA4096:
		return s.generateRSA(ctx, alg)
	}
	return nil, fmt.Errorf("%w: the algorithm %v", ErrUnsupported, alg)
}

// generate makes a key for which any bytes will do.
func (s Session) generate(kind keyfile.Type, size int) (*PrivateKey, error) {
	return s.make(size, func(secret []byte) (keyfile.Key, error) {
		random.Bytes(secret)
		return keyfile.Key{Type: kind, Secret: secret}, nil
	})
}

// generateEC makes a key on a curve.
func (s Session) generateEC(alg Algorithm) (*PrivateKey, error) {
	c, kind := ec.P256, keyfile.P256
	if alg == ECDSAP384 {
		c, kind = ec.P384, keyfile.P384
	}
	return s.make(c.ScalarSize()+ec.MemorySize, func(memory []byte) (keyfile.Key, error) {
		rest := arena(memory)
		scalar := rest.cut(c.ScalarSize())
		return keyfile.Key{Type: kind, Secret: scalar}, drawScalar(scalar, c, rest)
	})
}

// drawScalar sets dst to a random scalar.
func drawScalar(dst []byte, c ec.Curve, memory arena) error {
	scratch, err := ec.NewScratchIn(memory)
	if err != nil {
		return err
	}
	defer scratch.Wipe()
	// One in 2^32 is no scalar, or fewer.
	for range 64 {
		random.Bytes(dst)
		if c.CheckScalar(dst, scratch) == nil {
			return nil
		}
	}
	return errRandom
}

var errRandom = errors.New("keys: the system's random bytes are broken")

// ParseSeed makes an Ed25519 key of its 32-byte seed, which RFC 8032 calls the
// private key and [ed25519.PrivateKey.Seed] returns. It wipes seed, even if it returns an error. Read-only memory is [enclave.ErrReadOnly]: see [Session.SeedFromEnclave].
func (s Session) ParseSeed(seed []byte) (*PrivateKey, error) {
	if !wipe.Writable(seed) {
		return nil, readOnlyError{}
	}
	defer wipe.Bytes(seed)
	return s.parseSeed(seed)
}

// SeedFromEnclave is [Session.ParseSeed] of the seed that the enclave holds. The key is
// independent of the enclave, which stays as it is.
func (s Session) SeedFromEnclave(e *enclave.Enclave) (*PrivateKey, error) {
	return fromEnclave(s, e, s.parseSeed)
}

// parseSeed is ParseSeed that leaves its input.
func (s Session) parseSeed(seed []byte) (*PrivateKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: %d bytes, an Ed25519 seed has %d", ErrFormat, len(seed), ed25519.SeedSize)
	}
	return s.make(len(seed), func(memory []byte) (keyfile.Key, error) {
		xchacha.Copy(memory, seed)
		return keyfile.Key{Type: keyfile.Ed25519, Secret: memory}, nil
	})
}

// Parse parses a private key: PKCS #8, SEC 1, PKCS #1 or OpenSSH's format without
// a passphrase, as PEM or as the bytes themselves. Of a PEM file with several
// blocks it takes the first private key. It wipes its input, even if it returns an
// error; the caller wipes the buffers that the input was read through.
//
// The errors are [ErrFormat], [ErrEncrypted], [ErrUnsupported] and [ErrMismatch],
// those of [enclave.Session.NewFunc], and [enclave.ErrReadOnly] for read-only memory,
// such as what [enclave.Enclave.Use] lends: see [Session.FromEnclave].
func (s Session) Parse(pemOrDER []byte) (*PrivateKey, error) {
	if !wipe.Writable(pemOrDER) {
		return nil, readOnlyError{}
	}
	defer wipe.Bytes(pemOrDER)
	return s.parse(pemOrDER)
}

// FromEnclave parses the key that the enclave holds, in a form that
// [Session.Parse] takes. The key is independent of the enclave, which stays as it
// is: destroy it if it is no longer needed.
func (s Session) FromEnclave(e *enclave.Enclave) (*PrivateKey, error) {
	// The key's part of a file is sealed first, and then opened into the memory that it is
	// parsed in: while that is waited for, no other is held, or many at once would wait
	// for each other.
	var block keyfile.Block
	var body *enclave.Enclave
	err := e.UseContext(s.context(), func(secret []byte) (err error) {
		if block, err = find(secret); err == nil {
			body, err = s.session().NewCopy(block.Body)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer body.Destroy()
	return s.make(body.Size(), func(memory []byte) (keyfile.Key, error) {
		if _, err := body.OpenInto(memory); err != nil {
			return keyfile.Key{}, err
		}
		block.Body = memory
		return decode(block, memory)
	})
}

// fromEnclave returns what parse makes of the bytes that the enclave holds.
func fromEnclave[T any](s Session, e *enclave.Enclave, parse func(secret []byte) (*T, error)) (*T, error) {
	var key *T
	err := e.UseContext(s.context(), func(secret []byte) (err error) {
		key, err = parse(secret)
		return err
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// readOnlyError is an [enclave.ErrReadOnly] that says what to do here.
type readOnlyError struct{}

func (readOnlyError) Error() string {
	return "keys: can't wipe a key in read-only memory: make it from its enclave"
}

func (readOnlyError) Is(target error) bool { return target == enclave.ErrReadOnly }

// parse is Parse that leaves its input.
func (s Session) parse(input []byte) (*PrivateKey, error) {
	block, err := find(input)
	if err != nil {
		return nil, err
	}
	return s.make(len(block.Body), func(memory []byte) (keyfile.Key, error) { return decode(block, memory) })
}

// find returns where in a file the private key is.
func find(file []byte) (keyfile.Block, error) {
	block, err := keyfile.Find(file)
	if size := len(block.Body); err == nil && (size == 0 || size > maxKeyFile) {
		err = fmt.Errorf("%w: %d bytes are no private key", ErrFormat, size)
	}
	return block, err
}

// decode parses a block in as much memory, which may be the block's own.
func decode(block keyfile.Block, memory []byte) (keyfile.Key, error) {
	der, err := block.Decode(memory)
	if err != nil {
		return keyfile.Key{}, err
	}
	return keyfile.Parse(block.Format, der)
}

// make makes the key that read returns. read works in size bytes of locked
// memory, where the key's parts may lie.
func (s Session) make(size int, read func(memory []byte) (keyfile.Key, error)) (*PrivateKey, error) {
	var k *PrivateKey
	scratchSize := makeScratch
	if size >= minRSAFile {
		scratchSize = rsaScratchSize
	}
	err := s.scratch(size+scratchSize, func(memory []byte) error {
		return isolate.Do(isolate.Large, func() error {
			rest := arena(memory)
			raw, err := read(rest.cut(size))
			if err == nil {
				k, err = s.seal(raw, rest)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// makeScratch is how much locked memory seal works in, besides what the key that
// was read lies in, unless that can be an RSA key.
const makeScratch = max(edSealedSize+edScratchSize, maxScalarSize+ec.MemorySize)

// seal seals what the key's algorithm needs of it.
func (s Session) seal(raw keyfile.Key, memory arena) (k *PrivateKey, err error) {
	var sealed []byte
	k = &PrivateKey{in: Session{enclaves: s.enclaves}}
	switch raw.Type {
	case keyfile.Ed25519:
		k.alg = Ed25519
		sealed = memory.cut(edSealedSize)
		k.public, err = expandEd25519(sealed, raw.Secret, raw.Public, memory)
	case keyfile.X25519:
		k.alg = X25519
		sealed = memory.cut(ec.X25519Size)
		k.public, err = expandX25519(sealed, raw.Secret, raw.Public, memory)
	case keyfile.P256:
		k.alg = ECDSAP256
		sealed = memory.cut(ec.P256.ScalarSize())
		k.public, err = expandEC(sealed, raw.Secret, raw.Public, ec.P256, memory)
	case keyfile.P384:
		k.alg = ECDSAP384
		sealed = memory.cut(ec.P384.ScalarSize())
		k.public, err = expandEC(sealed, raw.Secret, raw.Public, ec.P384, memory)
	case keyfile.RSA:
		if sealed, k.alg, err = expandRSA(raw, memory); err != nil {
			return nil, err
		}
		return k, k.sealRSA(sealed)
	}
	if err != nil {
		return nil, err
	}
	k.sealed, err = s.session().NewCopy(sealed)
	return k, err
}
