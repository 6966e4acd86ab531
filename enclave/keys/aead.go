package keys

import (
	"context"
	"crypto/cipher"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys/internal/isolate"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// An AEAD encrypts and authenticates with XChaCha20-Poly1305 and a key that stays
// in an enclave. It is a [cipher.AEAD], and its ciphertexts are those of
// chacha20poly1305.NewX. It is safe for concurrent use, and prints its algorithm. Like
// those of every cipher.AEAD, its methods panic if the nonce is not 24 bytes long.
//
// The nonces are the caller's: 24 bytes, never the same for two messages of one
// key. Random ones are fine, whatever the number of messages. A message can be at
// most 256 GiB. Except on amd64, additional data makes a message take several times as long.
type AEAD struct {
	sealed *enclave.Enclave // the key ⊕ HChaCha8(zeros, zeros), which is one share of it
	in     Session
}

// AEADKeySize is the size of an [AEAD]'s key in bytes.
const AEADKeySize = xchacha.KeySize

// What an operation works in: a State, which comes first to be aligned, and the
// share.
const aeadScratchSize = xchacha.StateSize + xchacha.KeySize

// The other share and the domain are zeros, and no secret.
var (
	zeroShare  [xchacha.KeySize]byte
	zeroDomain [16]byte
)

// NewAEAD makes an XChaCha20-Poly1305 key of [AEADKeySize] bytes in the default
// session: see [Session.NewAEAD].
func NewAEAD(key []byte) (*AEAD, error) { return Session{}.NewAEAD(key) }

// AEADFromEnclave makes an XChaCha20-Poly1305 key of the bytes that the enclave holds,
// in the default session: see [Session.AEADFromEnclave].
func AEADFromEnclave(e *enclave.Enclave) (*AEAD, error) { return Session{}.AEADFromEnclave(e) }

// NewAEAD makes an XChaCha20-Poly1305 key of [AEADKeySize] bytes. It wipes key,
// even if it returns an error. A key of another size is [ErrFormat], and read-only memory
// [enclave.ErrReadOnly]: see [Session.AEADFromEnclave].
func (s Session) NewAEAD(key []byte) (*AEAD, error) {
	if !wipe.Writable(key) {
		return nil, readOnlyError{}
	}
	defer wipe.Bytes(key)
	return s.newAEAD(key)
}

// AEADFromEnclave is [Session.NewAEAD] with the key that the enclave holds. The AEAD is
// independent of the enclave, which stays as it is.
func (s Session) AEADFromEnclave(e *enclave.Enclave) (*AEAD, error) {
	return fromEnclave(s, e, s.newAEAD)
}

// newAEAD is NewAEAD that leaves its input.
func (s Session) newAEAD(key []byte) (*AEAD, error) {
	if len(key) != AEADKeySize {
		return nil, fmt.Errorf("%w: %d bytes, an XChaCha20-Poly1305 key has %d", ErrFormat, len(key), AEADKeySize)
	}
	a := &AEAD{in: Session{enclaves: s.enclaves}}
	err := s.scratch(aeadScratchSize, func(memory []byte) (err error) {
		state, share := aeadMemory(memory)
		state.HChaCha8(share, &zeroShare, &zeroDomain)
		xchacha.XOR(share, (*[xchacha.KeySize]byte)(key))
		a.sealed, err = s.session().NewCopy(share[:])
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// aeadMemory returns what the memory of a scratch, which wipes it, is used as.
func aeadMemory(memory []byte) (*xchacha.State, *[xchacha.KeySize]byte) {
	return xchacha.StateAt(memory), (*[xchacha.KeySize]byte)(memory[xchacha.StateSize:])
}

// NonceSize returns 24, the size of a nonce in bytes.
func (a *AEAD) NonceSize() int { return xchacha.NonceSize }

// Overhead returns 16, the number of bytes by which a ciphertext is longer than its
// plaintext.
func (a *AEAD) Overhead() int { return xchacha.TagSize }

// Seal encrypts and authenticates plaintext, authenticates the additional data,
// and appends the ciphertext to dst. To encrypt in place, use plaintext[:0] as dst.
// It waits for locked memory as [enclave.Enclave.Use] does.
//
// A [cipher.AEAD] returns no error here, so Seal panics if it can't encrypt: if
// the key is destroyed or purged, or there is no locked memory. SealContext returns
// an error.
func (a *AEAD) Seal(dst, nonce, plaintext, additionalData []byte) []byte {
	out, err := a.SealContext(context.Background(), dst, nonce, plaintext, additionalData)
	if err != nil {
		panic("keys: Seal: " + err.Error())
	}
	return out
}

// SealContext is like Seal, but returns an error if the key is gone or there is no
// locked memory. It waits for locked memory until ctx ends, and then returns its cause.
func (a *AEAD) SealContext(ctx context.Context, dst, nonce, plaintext, additionalData []byte) ([]byte, error) {
	if len(nonce) != xchacha.NonceSize {
		panic("keys: bad nonce length passed to Seal")
	}
	all, out := extend(dst, len(plaintext)+xchacha.TagSize)
	err := a.use(ctx, len(additionalData) > 0, func(state *xchacha.State, key *xchacha.Shares) error {
		state.SealWith(out, plaintext, additionalData, (*[xchacha.NonceSize]byte)(nonce), key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Open authenticates ciphertext and the additional data, decrypts ciphertext and appends
// the plaintext to dst. If they are not authentic, it returns [ErrAuthentication] and
// leaves nothing of the plaintext in dst's memory. To decrypt in place, use
// ciphertext[:0] as dst. It waits as Seal does; its other errors are those of
// [enclave.Enclave.Use]. The caller wipes the plaintext.
func (a *AEAD) Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error) {
	return a.OpenContext(context.Background(), dst, nonce, ciphertext, additionalData)
}

// OpenContext is like Open, but waits for locked memory only until ctx ends, and then
// returns its cause.
func (a *AEAD) OpenContext(ctx context.Context, dst, nonce, ciphertext, additionalData []byte) ([]byte, error) {
	if len(nonce) != xchacha.NonceSize {
		panic("keys: bad nonce length passed to Open")
	}
	if len(ciphertext) < xchacha.TagSize {
		return nil, ErrAuthentication
	}
	all, out := extend(dst, len(ciphertext)-xchacha.TagSize)
	err := a.use(ctx, len(additionalData) > 0, func(state *xchacha.State, key *xchacha.Shares) error {
		if !state.OpenWith(out, ciphertext, additionalData, (*[xchacha.NonceSize]byte)(nonce), key) {
			return ErrAuthentication
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// use runs fn on the key. What is done in assembly leaves nothing on a stack;
// portable Go is isolated, and additional data is portable Go's on arm64.
func (a *AEAD) use(ctx context.Context, additional bool, fn func(*xchacha.State, *xchacha.Shares) error) error {
	if a == nil || a.sealed == nil {
		return errZero
	}
	return a.in.WithContext(ctx).scratch(aeadScratchSize, func(memory []byte) error {
		state, share := aeadMemory(memory)
		if _, err := a.sealed.OpenInto(share[:]); err != nil {
			return err
		}
		key := xchacha.Shares{Left: share, Right: &zeroShare, Domain: &zeroDomain}
		if xchacha.Assembly && !additional || xchacha.AdditionalAssembly() {
			return fn(state, &key)
		}
		return isolate.Do(isolate.Small, func() error { return fn(state, &key) })
	})
}

// extend appends room for n bytes to dst, and returns all and the room.
func extend(dst []byte, n int) (all, room []byte) {
	all = slices.Grow(dst, n)[:len(dst)+n]
	return all, all[len(dst):]
}

// Destroy permanently disables the key: its operations return an error from then
// on, and Seal panics. Those that are under way finish. Destroying it again does
// nothing.
func (a *AEAD) Destroy() {
	if a != nil {
		a.sealed.Destroy()
	}
}

// String returns the algorithm: "[XChaCha20-Poly1305 key]".
func (a AEAD) String() string {
	if a.sealed == nil {
		return "[no XChaCha20-Poly1305 key]"
	}
	return "[XChaCha20-Poly1305 key]"
}

// GoString returns what String does.
func (a AEAD) GoString() string { return a.String() }

// Format prints what String returns, whatever the verb.
func (a AEAD) Format(f fmt.State, _ rune) {
	// A printer that can't write has nowhere to report it either.
	_, _ = io.WriteString(f, a.String())
}

// LogValue logs what String returns.
func (a AEAD) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText returns what String does, in JSON too. It can't be unmarshaled.
func (a AEAD) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

var _ cipher.AEAD = (*AEAD)(nil)
