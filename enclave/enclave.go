package enclave

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/internal/secretdo"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// An Enclave is a secret at rest, encrypted in ordinary memory. It can be opened
// any number of times, until it is destroyed or its session is purged or closed. It
// is safe for concurrent use, and prints as the secret's size alone.
//
// An enclave is one allocation, 32 bytes larger than the secret, and holds no
// locked memory. It needs no Destroy: the garbage collector frees it. An Enclave
// must not be copied; a copy does not open.
type Enclave struct {
	// session is the session's number, or 0 once the enclave is destroyed, XORed
	// with mask.
	session atomic.Uint32
	size    uint32 // of the secret; 0 in the zero value
	// The ciphertext follows: size + coffer.Overhead bytes.
}

const headerSize = int(unsafe.Sizeof(Enclave{}))

// newEnclave returns an enclave with room for the ciphertext of a secret of
// size bytes.
func newEnclave(session number, size int) *Enclave {
	// Words align it; without pointers, the collector does not scan it.
	words := make([]uint64, (headerSize+size+coffer.Overhead+7)/8)
	e := (*Enclave)(unsafe.Pointer(&words[0]))
	e.size = uint32(size)
	e.session.Store(uint32(session) ^ e.mask())
	return e
}

// mask is derived from the enclave's address. So a copy of the struct, which no
// ciphertext follows, names no session. The heap does not move.
func (e *Enclave) mask() uint32 {
	const golden = 0x9e3779b97f4a7c15 // spreads an address over all bits
	return uint32(uint64(uintptr(unsafe.Pointer(e))) * golden >> 32)
}

// number returns the number of e's session, 0 if the enclave is nil, zero or
// destroyed.
func (e *Enclave) number() number {
	if e == nil || e.size == 0 {
		return 0
	}
	return number(e.session.Load() ^ e.mask())
}

// bytes returns the ciphertext of an enclave that names a session.
func (e *Enclave) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(e), headerSize)), int(e.size)+coffer.Overhead)
}

// seal returns an enclave with the plaintext, which it only reads. It refuses what
// could never be opened within the budget.
func (s *Session) seal(c *core, plaintext []byte) (*Enclave, error) {
	if len(plaintext) > c.largest {
		return nil, c.tooLarge(len(plaintext))
	}
	if uint64(len(plaintext)) > math.MaxUint32 {
		return nil, fmt.Errorf("enclave: a secret of %d bytes exceeds the maximum of 4 GiB - 1", len(plaintext))
	}
	e := newEnclave(s.now(), len(plaintext))
	if err := c.coffer.Seal(e.bytes(), plaintext); err != nil {
		return nil, refused(context.Background(), 0, err)
	}
	return e, nil
}

// New seals the secret and wipes the slice. It returns [ErrEmpty] for an empty
// secret, [ErrReadOnly] for one in read-only memory, and a *[LimitError] for one
// that is too large for the budget; after an error the secret is unchanged. The
// caller wipes the buffers that the secret was read through.
func (s *Session) New(secret []byte) (*Enclave, error) {
	if !wipe.Writable(secret) {
		return nil, ErrReadOnly
	}
	e, err := s.NewCopy(secret)
	if err != nil {
		return nil, err
	}
	wipe.Bytes(secret)
	return e, nil
}

// NewRandom seals size random bytes, which are generated in locked memory. A size
// below 1 is [ErrEmpty]. NewRandom waits for locked memory like [Enclave.Use].
func (s *Session) NewRandom(size int) (*Enclave, error) { return s.NewFunc(size, randomize) }

// NewFunc calls fill with size zero bytes of locked memory, seals what fill writes
// to dst, and wipes dst. Use it for secrets that the program derives, decrypts or
// unwraps. If fill returns an error, NewFunc returns that error and seals nothing.
// A size below 1 is [ErrEmpty]. NewFunc waits for locked memory like [Enclave.Use].
func (s *Session) NewFunc(size int, fill func(dst []byte) error) (*Enclave, error) {
	return s.NewFuncContext(context.Background(), size, fill)
}

// NewFuncContext is like [Session.NewFunc], but if ctx ends the wait, it returns an
// error that wraps the context's cause.
func (s *Session) NewFuncContext(ctx context.Context, size int, fill func(dst []byte) error) (*Enclave, error) {
	if size <= 0 {
		return nil, ErrEmpty
	}
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	var e *Enclave
	started := false
	// Sealing leaves nothing behind, and the enclave is no secret.
	err = c.pool.Use(secretdo.Without(ctx), size, func(dst []byte) error {
		started = true
		return fill(dst)
	}, func(secret []byte) error {
		e, err = s.seal(c, secret)
		return err
	})
	switch {
	case err == nil:
		return e, nil
	case !started:
		err = refused(ctx, size, err)
	}
	return nil, err
}

// randomize fills b with random bytes.
func randomize(b []byte) error {
	random.Bytes(b)
	return nil
}

// Seal moves the buffer's secret into a new enclave and destroys the buffer. The
// buffer may be frozen, and may come from another session or pool. Seal returns
// [ErrDestroyed] for a destroyed buffer. After an error the buffer is unchanged,
// except after [ErrCorrupted]: then the buffer is destroyed, and Seal returns the
// enclave together with the error.
func (s *Session) Seal(b *locked.Buffer) (*Enclave, error) {
	if b == nil {
		return nil, locked.ErrDestroyed
	}
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	var e *Enclave
	err = b.Consume(func(secret []byte) (err error) {
		e, err = s.seal(c, secret)
		return err
	})
	return e, err
}

// Open decrypts the secret into a read-only buffer. The caller destroys it.
//
// Destroy makes the buffer's pages inaccessible, which interrupts every other
// processor that runs a thread of the process. Open and Destroy together cost about
// ten times what [Enclave.Use] does in a process that is otherwise idle, and several
// times that with other threads running. Prefer Use unless the secret has to stay
// open across calls.
//
// Open returns [ErrExhausted] if the budget is in use, a *[LimitError] if the
// system refuses to lock memory, [ErrDestroyed] if the enclave is destroyed,
// [ErrPurged] or [ErrClosed] if its session was purged or closed, and [ErrDecrypt]
// if the ciphertext was modified.
func (e *Enclave) Open() (*locked.Buffer, error) {
	return e.open(context.Background(), false)
}

// OpenContext is like [Enclave.Open], but waits while the budget is in use. If ctx
// ends first, it returns an error that wraps the context's cause.
func (e *Enclave) OpenContext(ctx context.Context) (*locked.Buffer, error) {
	return e.open(ctx, true)
}

// open is OpenContext, or Open if wait is false.
func (e *Enclave) open(ctx context.Context, wait bool) (b *locked.Buffer, err error) {
	sealed, c, err := e.ready()
	if err != nil {
		return nil, err
	}
	started := false
	fill := func(secret []byte) error {
		started = true
		return c.open(secret, sealed, e.number())
	}
	if wait {
		b, err = c.pool.NewFrozenContext(ctx, int(e.size), fill)
	} else {
		b, err = c.pool.NewFrozen(int(e.size), fill)
	}
	switch {
	case err == nil:
		return b, nil
	case !started:
		return nil, refused(ctx, int(e.size), err)
	case errors.Is(err, ErrDestroyed):
		return nil, ErrPurged // before anybody had the buffer
	case errors.Is(err, ErrClosed):
		return nil, errClosed
	}
	return nil, err
}

// open decrypts for a buffer, which Stats counts apart from Use.
func (c *core) open(secret, sealed []byte, n number) error {
	c.opens.Add(1)
	return c.opened(n, c.coffer.Open(secret, sealed))
}

// opened rewords an error of decrypting an enclave with that number.
func (c *core) opened(n number, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrDecrypt):
		if err = c.session.whyNot(n); err == errTampered {
			c.failures.Add(1)
		}
		return err
	case errors.Is(err, ErrClosed):
		return errClosed
	}
	return err
}

// ready returns the ciphertext and the core that opens it.
func (e *Enclave) ready() ([]byte, *core, error) {
	n := e.number()
	if n == 0 {
		if e == nil || e.size == 0 {
			return nil, nil, errNeverSet
		}
		return nil, nil, errDestroyed
	}
	s := sessions.get(n)
	if s == nil {
		if sessions.gone(n) {
			return nil, nil, errClosed
		}
		return nil, nil, errCopied
	}
	c, err := s.open()
	if err != nil {
		return nil, nil, err
	}
	if s.now() != n {
		return nil, nil, ErrPurged
	}
	return e.bytes(), c, nil
}

// Use decrypts the secret into locked memory, calls fn with it, and wipes the memory
// when fn returns or panics. The slice is read-only and valid until fn returns. Use
// returns fn's error unchanged; its other errors are those of [Enclave.Open]. Prefer
// Use to Open: it is faster, and there is no buffer to forget.
//
// Use can't see what fn copies. A private key that is parsed in fn leaves copies on
// the heap with each signature: sign with the package
// github.com/memkeep/memkeep/enclave/keys, whose keys leave none.
//
// Never convert the slice to an ed25519.PrivateKey. It lies outside the Go heap, and
// since Go 1.26 crypto/ed25519 ends the process at such a key ("getWeakHandle on
// invalid pointer"). Recover does not help.
//
// Use waits, in order of arrival, while the budget is in use. It returns [ErrExhausted]
// if no memory comes back for 30 seconds; [Enclave.UseContext], with a context that can
// end, waits until that ends.
//
// fn may call Use of another enclave. Such a call returns ErrExhausted after about a
// second if it needs more than a page and none becomes free. Deeper calls return it at
// once if no page is free, and so do all nested calls of a session whose budget is less
// than six pages. [UseAll] opens several secrets at once without nesting.
func (e *Enclave) Use(fn func(secret []byte) error) error {
	return e.UseContext(context.Background(), fn)
}

// UseContext is like [Enclave.Use], but if ctx has ended, or ends the wait, it returns an
// error that wraps the context's cause. It does not interrupt fn.
func (e *Enclave) UseContext(ctx context.Context, fn func(secret []byte) error) error {
	sealed, c, err := e.ready()
	if err != nil {
		return err
	}
	started := false
	err = c.pool.Use(ctx, int(e.size), func(secret []byte) error {
		started = true
		return c.opened(e.number(), c.coffer.Open(secret, sealed))
	}, fn)
	if err != nil && !started {
		return refused(ctx, int(e.size), err)
	}
	return err
}

// WithoutRuntimeSecret returns a context with which [Enclave.UseContext], [GetContext]
// and [UseAllContext] call their function as it is, as with [Config.NoRuntimeSecret].
func WithoutRuntimeSecret(ctx context.Context) context.Context { return secretdo.Without(ctx) }

// Get is like [Enclave.Use] for a function that returns a value, such as a signature
// or a connection. The value must not alias the secret.
func Get[T any](e *Enclave, fn func(secret []byte) (T, error)) (T, error) {
	return GetContext(context.Background(), e, fn)
}

// GetContext is like [Get], but if ctx ends the wait, it returns an error that wraps
// the context's cause.
func GetContext[T any](ctx context.Context, e *Enclave, fn func(secret []byte) (T, error)) (T, error) {
	var value T
	err := e.UseContext(ctx, func(secret []byte) (err error) {
		value, err = fn(secret)
		return err
	})
	return value, err
}

// UseAll decrypts several secrets at once and calls fn with them, in the order of
// the enclaves. Otherwise it is like [Enclave.Use]. It takes all memory in one step,
// so calls of UseAll never deadlock. The memory comes from the first enclave's
// session; the others may belong to other sessions.
func UseAll(fn func(secrets [][]byte) error, e ...*Enclave) error {
	return UseAllContext(context.Background(), fn, e...)
}

// UseAllContext is like [UseAll], but if ctx ends the wait, it returns an error that
// wraps the context's cause.
func UseAllContext(ctx context.Context, fn func(secrets [][]byte) error, e ...*Enclave) error {
	if len(e) == 0 {
		return fn(nil)
	}
	sizes, total := make([]int, len(e)), 0
	sealed := make([][]byte, len(e))
	cores := make([]*core, len(e))
	for i := range e {
		var err error
		if sealed[i], cores[i], err = e[i].ready(); err != nil {
			return fmt.Errorf("enclave %d of %d: %w", i+1, len(e), err)
		}
		sizes[i] = int(e[i].size)
		total += sizes[i]
	}
	started := false
	err := cores[0].pool.UseAll(ctx, sizes, func(secrets [][]byte) error {
		started = true
		for i, secret := range secrets {
			if err := cores[i].opened(e[i].number(), cores[i].coffer.Open(secret, sealed[i])); err != nil {
				return fmt.Errorf("enclave %d of %d: %w", i+1, len(e), err)
			}
		}
		return nil
	}, fn)
	if err != nil && !started {
		return refused(ctx, total, err)
	}
	return err
}

// Equal reports whether the secret equals other, in time that depends on the lengths
// alone. The errors are those of [Enclave.Use].
func (e *Enclave) Equal(other []byte) (bool, error) {
	return Get(e, func(secret []byte) (bool, error) { return xchacha.Equal(secret, other), nil })
}

// Size returns the size of the secret in bytes, or 0 if the enclave is destroyed.
func (e *Enclave) Size() int {
	if e.number() == 0 {
		return 0
	}
	return int(e.size)
}

// Destroy permanently disables the enclave. It does not wipe the ciphertext, which stays
// in memory until the garbage collector reuses it; [Session.Purge] ends its key. Calls
// that are under way finish, and buffers that were opened from the enclave stay open.
// Destroying an enclave again does nothing.
func (e *Enclave) Destroy() {
	if e != nil && e.size > 0 {
		e.session.Store(e.mask())
	}
}

// Format prints the size alone, whatever the verb.
func (e *Enclave) Format(f fmt.State, verb rune) { redact.Secret(e.Size()).Format(f, verb) }

// String returns the size alone: "[REDACTED 32 bytes]".
func (e *Enclave) String() string { return redact.Secret(e.Size()).String() }

// GoString returns the size alone.
func (e *Enclave) GoString() string { return e.String() }

// LogValue logs the size alone.
func (e *Enclave) LogValue() slog.Value { return redact.Secret(e.Size()).LogValue() }

// MarshalText encodes the size alone, in JSON too, so that no encoder exports the
// secret by accident.
func (e *Enclave) MarshalText() ([]byte, error) { return redact.Secret(e.Size()).MarshalText() }
