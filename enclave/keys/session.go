package keys

import (
	"context"
	"crypto"
	"errors"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys/internal/isolate"
)

// A Session makes keys in an [enclave.Session]: their secrets lie in its enclaves, are
// used within its budget of locked memory, and end with its Purge and Close. The zero
// Session, which the package's functions use, makes them in [enclave.Default]. A Session
// is safe for concurrent use.
type Session struct {
	enclaves *enclave.Session
	ctx      context.Context
}

// In returns a Session that makes keys in s.
func In(s *enclave.Session) Session { return Session{enclaves: s} }

// WithContext returns a Session whose calls wait for locked memory until ctx
// ends, and then return its cause. The keys they return don't: see
// [PrivateKey.WithContext].
func (s Session) WithContext(ctx context.Context) Session {
	s.ctx = ctx
	return s
}

// Generate makes a key in the default session: see [Session.Generate].
func Generate(ctx context.Context, alg Algorithm) (*PrivateKey, error) {
	return Session{}.Generate(ctx, alg)
}

// Parse parses a key into the default session: see [Session.Parse].
func Parse(pemOrDER []byte) (*PrivateKey, error) { return Session{}.Parse(pemOrDER) }

// ParseSeed makes an Ed25519 key of its seed in the default session: see
// [Session.ParseSeed].
func ParseSeed(seed []byte) (*PrivateKey, error) { return Session{}.ParseSeed(seed) }

// FromEnclave parses the key that an enclave holds into the default session: see
// [Session.FromEnclave].
func FromEnclave(e *enclave.Enclave) (*PrivateKey, error) { return Session{}.FromEnclave(e) }

// SeedFromEnclave makes an Ed25519 key of the seed that an enclave holds in the default
// session: see [Session.SeedFromEnclave].
func SeedFromEnclave(e *enclave.Enclave) (*PrivateKey, error) { return Session{}.SeedFromEnclave(e) }

// NewMAC makes an HMAC key in the default session: see [Session.NewMAC].
func NewMAC(hash crypto.Hash, key []byte) (*MAC, error) { return Session{}.NewMAC(hash, key) }

// MACFromEnclave makes an HMAC key of the bytes that an enclave holds in the default
// session: see [Session.MACFromEnclave].
func MACFromEnclave(hash crypto.Hash, e *enclave.Enclave) (*MAC, error) {
	return Session{}.MACFromEnclave(hash, e)
}

// GenerateMAC makes an HMAC key of random bytes in the default session: see
// [Session.GenerateMAC].
func GenerateMAC(ctx context.Context, hash crypto.Hash) (*MAC, error) {
	return Session{}.GenerateMAC(ctx, hash)
}

// session returns the enclaves' session.
func (s Session) session() *enclave.Session {
	if s.enclaves == nil {
		return enclave.Default()
	}
	return s.enclaves
}

// context returns the context that calls wait with.
func (s Session) context() context.Context {
	if s.ctx == nil {
		return context.Background()
	}
	return s.ctx
}

// errScratch ends the making of a secret that is none.
var errScratch = errors.New("keys: scratch memory is not to be sealed")

// scratch lends size bytes of zeroed, writable locked memory to fn, waits for it
// as [enclave.Enclave.Use] does, and wipes it. The memory begins at a multiple
// of 64.
func (s Session) scratch(size int, fn func(memory []byte) error) error {
	var err error
	// What fills a new secret works in writable memory, and if it fails nothing is
	// sealed.
	_, refused := s.session().NewFuncContext(s.context(), (size+63)&^63, func(memory []byte) error {
		err = fn(memory[:size:size])
		return errScratch
	})
	if refused == errScratch {
		return err
	}
	// What comes with it is an error of the locked memory itself.
	return refused
}

// use opens e in locked memory, with extra bytes behind it, and runs fn on both. Opening
// and fn are isolated.
func (s Session) use(e *enclave.Enclave, extra int, stack isolate.Kind, fn func(secret []byte, memory arena) error) error {
	size := e.Size()
	if size == 0 {
		_, err := e.OpenInto(nil) // says why
		return err
	}
	return s.scratch(size+extra, func(memory []byte) error {
		return isolate.Do(stack, func() error {
			if _, err := e.OpenInto(memory[:size]); err != nil {
				return err
			}
			return fn(memory[:size:size], memory[size:])
		})
	})
}

// An arena is memory that parts are cut from.
type arena []byte

// cut returns the next size bytes.
func (a *arena) cut(size int) []byte {
	part := (*a)[:size:size]
	*a = (*a)[size:]
	return part
}
