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
	"github.com/memkeep/memkeep/internal/guard"
	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// An Enclave is one secret at rest, encrypted in ordinary memory. It may be
// opened any number of times, by any number of goroutines, until it or its
// session's key is gone. It prints as its size alone.
//
// An enclave is one allocation, 32 bytes larger than the secret. It holds no
// locked memory, and the garbage collector takes it when nothing refers to it:
// Destroy is for a secret that must not open from now on. An Enclave must not be
// copied: the copy does not open.
type Enclave struct {
	// session is the session's number, or 0 once the enclave is destroyed,
	// masked: see mask.
	session atomic.Uint32
	size    uint32 // of the secret; 0 in the zero value
	// The ciphertext follows: size + coffer.Overhead bytes.
}

const headerSize = int(unsafe.Sizeof(Enclave{}))

// newEnclave returns an enclave with room for the ciphertext of a secret of
// size bytes.
func newEnclave(session number, size int) *Enclave {
	// Words, so that it is aligned; without pointers, so that the collector
	// does not look into it.
	words := make([]uint64, (headerSize+size+coffer.Overhead+7)/8)
	e := (*Enclave)(unsafe.Pointer(&words[0]))
	e.size = uint32(size)
	e.session.Store(uint32(session) ^ e.mask())
	return e
}

// mask is what the session's number is masked with, made of the enclave's
// address: so a copy, behind which there is no ciphertext, names no session.
// What seal returns stays where it is, as all of the heap does.
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

// seal returns an enclave with the plaintext, which it only reads. What could
// never be opened within the budget is not sealed.
func (s *Session) seal(c *core, plaintext []byte) (*Enclave, error) {
	if len(plaintext) > c.largest {
		return nil, c.tooLarge(len(plaintext))
	}
	if uint64(len(plaintext)) > math.MaxUint32 {
		return nil, fmt.Errorf("enclave: a secret of %d bytes: the largest has 4 GiB - 1", len(plaintext))
	}
	e := newEnclave(s.now(), len(plaintext))
	if err := c.coffer.Seal(e.bytes(), plaintext); err != nil {
		return nil, refused(context.Background(), 0, err)
	}
	return e, nil
}

// New seals the secret and wipes it. An empty secret is [ErrEmpty], one in
// read-only memory [ErrReadOnly]. After an error the secret is as it was: so a
// secret that is too large for the budget is refused with a *[LimitError]. The
// slice may lie in ordinary memory or in a locked buffer; what it was read through
// is the caller's to wipe.
func (s *Session) New(secret []byte) (*Enclave, error) {
	if len(secret) > 0 && !writable(secret) {
		return nil, ErrReadOnly
	}
	e, err := s.NewCopy(secret)
	if err != nil {
		return nil, err
	}
	wipe.Bytes(secret)
	return e, nil
}

// NewRandom seals size random bytes that never were in ordinary memory. A size
// below 1 is [ErrEmpty]. It needs a slot for a moment, and waits for one like
// [Enclave.Use].
func (s *Session) NewRandom(size int) (*Enclave, error) { return s.NewFunc(size, randomize) }

// NewFunc makes a secret of size bytes in locked memory and seals it there:
// fill writes the secret to dst, which is zero before and wiped afterwards. It
// suits secrets that the program derives, decrypts or unwraps. An error of fill
// is returned as it is, and nothing is sealed. A size below 1 is [ErrEmpty].
// NewFunc needs a slot while fill runs, and waits for one like [Enclave.Use].
func (s *Session) NewFunc(size int, fill func(dst []byte) error) (*Enclave, error) {
	return s.NewFuncContext(context.Background(), size, fill)
}

// NewFuncContext is NewFunc that waits for a slot until ctx ends, and then
// returns an error that wraps its cause.
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
	err = c.pool.Use(ctx, size, func(dst []byte) error {
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

// Seal moves the buffer's secret into a new enclave and destroys the buffer,
// frozen or not, of this session's pool or another. A destroyed buffer is
// [ErrDestroyed]. After an error the buffer is as it was, but for
// [ErrCorrupted]: then the buffer is destroyed and the enclave, with
// what the buffer held, is returned beside the error.
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

// Open decrypts the secret into a read-only buffer, which the caller destroys.
// Destroy makes the buffer's pages inaccessible, which interrupts every other
// processor that runs a thread of the process: Open with Destroy costs about ten
// times what [Enclave.Use] does in a process that is otherwise idle, and forty times
// with another thread running, so that two goroutines get less done than one. Prefer
// Use wherever the secret need not stay open across calls.
//
// If the budget of locked memory is in use it returns [ErrExhausted] at once, and a
// *[LimitError] if the system refuses to lock memory. [ErrDestroyed] says that the
// enclave is destroyed, [ErrPurged] and [ErrClosed] what became of its session, and
// [ErrDecrypt] that the ciphertext was tampered with.
func (e *Enclave) Open() (*locked.Buffer, error) {
	return e.open(context.Background(), false)
}

// OpenContext is Open that waits while the budget is in use, in order of
// arrival, until ctx ends, and then returns an error that wraps its cause.
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
	}
	return nil, err
}

// open decrypts for a buffer, which the figures tell from Use.
func (c *core) open(secret, sealed []byte, n number) error {
	c.opens.Add(1)
	return c.opened(n, c.coffer.Open(secret, sealed))
}

// opened puts an error of decrypting an enclave of the number in words for it.
func (c *core) opened(n number, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrDecrypt):
		return c.session.whyNot(n)
	case errors.Is(err, ErrClosed):
		return errClosed
	}
	return err
}

// ready returns what opening the enclave takes.
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

// Use decrypts the secret into a slot of locked memory, runs fn on it, and
// wipes the slot when fn returns or panics. It is the fast way, and the one
// that can't leak: prefer it to Open. fn's error is returned as it is.
//
// fn gets a read-only slice that is valid until it returns. Use waits while all
// slots are taken. fn may call Use of another enclave; calls that are nested any
// deeper don't wait: they return [ErrExhausted] if no slot is free. [UseAll] takes
// several secrets at once without that. The other errors are those of
// [Enclave.Open].
//
// What fn does with the secret leaves copies that the library can't see. A private
// key parsed in fn for each signature leaves dozens of them on the heap, more than
// a key that is parsed once: sign with the package
// github.com/memkeep/memkeep/enclave/keys, whose keys leave none.
//
// Never convert the slice to an ed25519.PrivateKey: it lies outside the Go heap, and
// since Go 1.26 crypto/ed25519 ends the process at such a key ("getWeakHandle on
// invalid pointer"), which no recover prevents.
func (e *Enclave) Use(fn func(secret []byte) error) error {
	return e.UseContext(context.Background(), fn)
}

// UseContext is Use that waits until ctx ends, and then returns an error that
// wraps its cause.
func (e *Enclave) UseContext(ctx context.Context, fn func(secret []byte) error) error {
	sealed, c, err := e.ready()
	if err != nil {
		return err
	}
	started := false
	err = c.pool.Use(ctx, int(e.size), func(secret []byte) error {
		started = true
		return c.opened(e.number(), c.coffer.Open(secret, sealed))
	}, guard.Func(fn))
	if err != nil && !started {
		return refused(ctx, int(e.size), err)
	}
	return err
}

// Get is [Enclave.Use] for a function that returns a value: a signature, a
// connection, whatever it makes of the secret. The value must not alias the
// secret.
func Get[T any](e *Enclave, fn func(secret []byte) (T, error)) (T, error) {
	return GetContext(context.Background(), e, fn)
}

// GetContext is Get that waits until ctx ends, and then returns an error that
// wraps its cause.
func GetContext[T any](ctx context.Context, e *Enclave, fn func(secret []byte) (T, error)) (T, error) {
	var value T
	err := e.UseContext(ctx, func(secret []byte) (err error) {
		value, err = fn(secret)
		return err
	})
	return value, err
}

// UseAll decrypts several secrets into one slot and runs fn on them, in the
// order of the enclaves. It takes all it needs in one step, so calls of UseAll
// never wait for each other in a circle, whatever the budget. Otherwise it is
// like [Enclave.Use]. The slot comes from the first enclave's session; the
// others may belong to different ones.
func UseAll(fn func(secrets [][]byte) error, e ...*Enclave) error {
	return UseAllContext(context.Background(), fn, e...)
}

// UseAllContext is UseAll that waits until ctx ends, and then returns an error that
// wraps its cause.
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
	}, guard.Func(fn))
	if err != nil && !started {
		return refused(ctx, total, err)
	}
	return err
}

// Equal reports whether the secret is exactly other, in time that depends on the
// lengths alone. The errors are those of [Enclave.Use].
func (e *Enclave) Equal(other []byte) (bool, error) {
	return Get(e, func(secret []byte) (bool, error) { return xchacha.Equal(secret, other), nil })
}

// Size returns the size of the secret in bytes, 0 once the enclave is
// destroyed.
func (e *Enclave) Size() int {
	if e.number() == 0 {
		return 0
	}
	return int(e.size)
}

// Destroy permanently disables the enclave; its memory goes with the last
// reference to it. Destroying again does nothing. Buffers that were opened from it
// live on.
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

// MarshalText encodes the size alone, in JSON too. There is no way back: a
// secret does not travel by accident.
func (e *Enclave) MarshalText() ([]byte, error) { return redact.Secret(e.Size()).MarshalText() }
