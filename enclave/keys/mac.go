package keys

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"log/slog"
	"runtime"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
	"github.com/memkeep/memkeep/enclave/keys/internal/isolate"
	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// A MAC computes HMACs (FIPS 198-1, RFC 2104) with a key that stays in an
// enclave. It is safe for concurrent use, and prints its algorithm.
type MAC struct {
	hash   crypto.Hash
	sealed *enclave.Enclave // the chaining values behind the key's inner and outer block
	in     Session
}

// NewMAC makes an HMAC key of any length, for SHA-256, SHA-384, SHA-512, or SHA-1
// as TOTP uses it (RFC 6238). It wipes key, even if it returns an error. An
// empty key is [enclave.ErrEmpty], another hash [ErrUnsupported], and read-only memory
// [enclave.ErrReadOnly]: see [Session.MACFromEnclave].
func (s Session) NewMAC(hash crypto.Hash, key []byte) (*MAC, error) {
	if !wipe.Writable(key) {
		return nil, readOnlyError{}
	}
	defer wipe.Bytes(key)
	return s.newMAC(hash, key)
}

// MACFromEnclave is [Session.NewMAC] with the key that the enclave holds. The MAC is
// independent of the enclave, which stays as it is. For a key that changes, the package's
// example "rotating" makes a MAC of each version.
func (s Session) MACFromEnclave(hash crypto.Hash, e *enclave.Enclave) (*MAC, error) {
	return fromEnclave(s, e, func(secret []byte) (*MAC, error) { return s.newMAC(hash, secret) })
}

// newMAC is NewMAC that leaves its input.
func (s Session) newMAC(hash crypto.Hash, key []byte) (*MAC, error) {
	if len(key) == 0 && hashing.Supports(hash) {
		return nil, enclave.ErrEmpty
	}
	return s.makeMAC(hash, 0, func([]byte) []byte { return key })
}

// GenerateMAC makes an HMAC key of random bytes that never leave locked memory, as
// many as the hash has, for the hashes of [Session.NewMAC]. It waits for locked memory
// until ctx ends, and then returns its cause.
func (s Session) GenerateMAC(ctx context.Context, hash crypto.Hash) (*MAC, error) {
	return s.WithContext(ctx).makeMAC(hash, hashing.MaxSize, func(memory []byte) []byte {
		key := memory[:hash.Size()]
		random.Bytes(key)
		return key
	})
}

// makeMAC makes the key that read returns. read has size bytes of locked memory to
// work in.
func (s Session) makeMAC(hash crypto.Hash, size int, read func(memory []byte) []byte) (*MAC, error) {
	if !hashing.Supports(hash) {
		return nil, fmt.Errorf("%w: HMAC with %v", ErrUnsupported, hash)
	}
	m := &MAC{hash: hash, in: Session{enclaves: s.enclaves}}
	err := s.scratch(size+macMakeSize, func(memory []byte) error {
		return isolate.Do(isolate.Large, func() error {
			rest := arena(memory)
			sealed, err := expandMAC(hash, read(rest.cut(size)), rest)
			if err != nil {
				return err
			}
			m.sealed, err = s.session().NewCopy(sealed)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// macMakeSize is the memory that expandMAC works in.
const macMakeSize = hashing.MemorySize + 2*hashing.MaxChainSize

// expandMAC returns what is sealed of a key, in memory.
func expandMAC(hash crypto.Hash, key []byte, memory arena) ([]byte, error) {
	h, err := hashing.New(hash, memory.cut(hashing.MemorySize))
	if err != nil {
		return nil, err
	}
	defer h.Forget()
	sealed := memory.cut(2 * h.ChainSize())
	h.MACKey(sealed[:h.ChainSize()], sealed[h.ChainSize():], key)
	return sealed, nil
}

// WithContext returns the same key, whose operations wait for locked memory until
// ctx ends, and then return its cause.
func (m *MAC) WithContext(ctx context.Context) *MAC {
	if m == nil {
		return nil
	}
	other := *m
	other.in.ctx = ctx
	return &other
}

// Size returns the size of a tag in bytes.
func (m *MAC) Size() int {
	if m == nil || m.sealed == nil {
		return 0
	}
	return m.hash.Size()
}

// Sum returns the message's tag. It waits for locked memory as
// [enclave.Enclave.Use] does, and returns the errors of that.
func (m *MAC) Sum(message []byte) ([]byte, error) {
	tag, err := m.AppendSum(make([]byte, 0, m.Size()), message)
	if err != nil {
		return nil, err
	}
	return tag, nil
}

// AppendSum appends the message's tag to dst. After an error dst is returned as it
// was.
func (m *MAC) AppendSum(dst, message []byte) ([]byte, error) {
	err := m.compute(message, func(tag []byte) error {
		dst = append(dst, tag...)
		return nil
	})
	return dst, err
}

// Verify returns nil if tag is the message's, [ErrAuthentication] if it is not, in
// time that does not depend on the tag. The right tag never leaves locked memory.
// It waits as [MAC.Sum] does.
func (m *MAC) Verify(message, tag []byte) error {
	return m.compute(message, func(right []byte) error {
		if !xchacha.Equal(right, tag) {
			return ErrAuthentication
		}
		return nil
	})
}

// compute runs fn on the message's tag, in locked memory.
func (m *MAC) compute(message []byte, fn func(tag []byte) error) error {
	if m == nil || m.sealed == nil {
		return errZero
	}
	extra := hashing.MemorySize + m.hash.Size()
	return m.in.use(m.sealed, extra, macIsolation(), func(secret []byte, memory arena) error {
		return withTag(m.hash, secret, message, memory, fn)
	})
}

// macIsolation returns how a tag is computed. A goroutine that is preempted where it has
// just hashed a block leaves the hash's state where the runtime saves vector registers.
// Blocking the signal takes about as long as the tag. The runtime asks a goroutine to
// yield at its next function call before it sends the signal, and a tag takes many calls:
// on amd64, 170 scans with a collection every fifth tag found nothing without. Behind an
// emulator of arm64, which delivers signals at such places, one scan in 40 did.
func macIsolation() isolate.Kind {
	if runtime.GOARCH == "arm64" {
		return isolate.Small
	}
	return isolate.Brief
}

// withTag runs fn on the message's tag, in memory. The right tag is a secret if
// another one is verified.
func withTag(hash crypto.Hash, secret, message []byte, memory arena, fn func(tag []byte) error) error {
	h, err := hashing.New(hash, memory.cut(hashing.MemorySize))
	if err != nil {
		return err
	}
	defer h.Forget()
	tag := memory.cut(h.Size())
	h.MACStart(secret[:h.ChainSize()])
	h.Write(message)
	h.MACSum(tag, secret[h.ChainSize():])
	return fn(tag)
}

// Destroy permanently disables the key: its operations return an error from then
// on. Those that are under way finish. Destroying it again does nothing.
func (m *MAC) Destroy() {
	if m != nil {
		m.sealed.Destroy()
	}
}

// String returns the algorithm: "[HMAC-SHA-256 key]".
func (m MAC) String() string {
	if m.sealed == nil {
		return "[no HMAC key]"
	}
	return "[HMAC-" + m.hash.String() + " key]"
}

// GoString returns what String does.
func (m MAC) GoString() string { return m.String() }

// Format prints what String returns, whatever the verb.
func (m MAC) Format(f fmt.State, _ rune) {
	// A printer that can't write has nowhere to report it either.
	_, _ = io.WriteString(f, m.String())
}

// LogValue logs what String returns.
func (m MAC) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalText returns what String does, in JSON too. It can't be unmarshaled.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
