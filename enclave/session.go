package enclave

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/locked"
)

// Config says how a Session is made. The zero value is a good choice.
type Config struct {
	// MaxLockedBytes is the budget of locked memory, in bytes:
	// [locked.DefaultLockedBytes] if zero. It is cut to what the process may
	// lock, after raising the soft limit towards the hard one.
	MaxLockedBytes int

	// RefreshInterval is how often the session key's shares are
	// re-randomised: [coffer.DefaultRefreshInterval] if zero, never if
	// negative.
	RefreshInterval time.Duration

	// Backend forces a mechanism for locked pages: the best one if empty.
	Backend locked.Backend

	// IdleTimeout is how long locked pages that nobody uses stay locked:
	// [locked.DefaultIdleTimeout] if zero.
	IdleTimeout time.Duration

	// AllowUnlocked lets the session go on without locked memory where the
	// process may lock none: see [locked.Config]. Stats.Unlocked says so.
	AllowUnlocked bool

	// NoSignals keeps the session from sending SIGURG to the process's threads:
	// see [coffer.Config].
	NoSignals bool
}

// A Session is a key and a budget of locked memory, and what the enclaves made
// with it share. It is safe for concurrent use. Most programs need only the
// default one; Close ends any other. The zero Session has the default
// configuration, and is made on its first use.
type Session struct {
	cfg    Config
	bare   bool                 // keeps no slots for Use
	core   atomic.Pointer[core] // nil until the first use, and once closed
	first  number               // set before core
	number atomic.Uint32        // of the enclaves made now: a new one for each key; set before core

	keyMu sync.Mutex // held while key and number change together

	mu     sync.Mutex // protects what follows, and the making of core; taken before keyMu
	closed bool
	final  Stats // what Stats says once closed
	shut   *core // closed, kept until all its memory could be given back
}

// core is the part of a session that takes resources.
type core struct {
	session *Session
	pool    *locked.Pool
	coffer  *coffer.Coffer
	largest int           // the size of the largest secret that can be opened
	opens   atomic.Uint64 // attempts to decrypt for Open
}

// now returns the number of the enclaves that are made now.
func (s *Session) now() number { return number(s.number.Load()) }

// NewSession returns a session with a key of its own. Where the process may not
// lock the few pages that the smallest session takes, the error is a
// *[LimitError] that says how to raise the limit; where the platform can't lock
// memory, [ErrUnsupported]. A process has 65,536 open sessions at most; the caller
// closes them.
func NewSession(cfg Config) (*Session, error) { return newSession(&Session{cfg: cfg}) }

func init() {
	bridge.NewBareSession = func(cfg any) (any, error) { return newSession(&Session{cfg: cfg.(Config), bare: true}) }
	bridge.ResetKey = func(session any) error { return session.(*Session).resetKey() }
	bridge.OpenBuffers = func(session any) []any { return session.(*Session).openBuffers() }
	bridge.ReadPart = func(session any, r io.Reader, size, delim int) (any, error) {
		return session.(*Session).readPart(r, size, delim)
	}
}

func newSession(s *Session) (*Session, error) {
	if _, err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// open returns the session's core, and makes it if this is the first use.
func (s *Session) open() (*core, error) {
	if c := s.core.Load(); c != nil {
		return c, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if c := s.core.Load(); c != nil {
		return c, nil
	}
	useSlots := runtime.GOMAXPROCS(0) + 1 // one for each processor, and one for nested calls
	if s.bare {
		useSlots = 0
	}
	pool, err := locked.NewPool(locked.Config{
		LockedBytes:   s.cfg.MaxLockedBytes,
		Backend:       s.cfg.Backend,
		AllowUnlocked: s.cfg.AllowUnlocked,
		IdleTimeout:   s.cfg.IdleTimeout,
		UseSlots:      useSlots,
	})
	if err != nil {
		return nil, fmt.Errorf("enclave: %w", err)
	}
	c, err := s.newCore(pool)
	if err != nil {
		return nil, err
	}
	if err := s.start(c); err != nil {
		return nil, errors.Join(err, c.coffer.Close(), pool.Close())
	}
	return c, nil
}

// start lets enclaves and their openers find c. The caller holds mu.
func (s *Session) start(c *core) error {
	if err := sessions.add(s); err != nil {
		return err
	}
	s.core.Store(c)
	return nil
}

func (s *Session) newCore(pool *locked.Pool) (*core, error) {
	c, err := coffer.New(pool, coffer.Config{RefreshInterval: s.cfg.RefreshInterval, NoSignals: s.cfg.NoSignals})
	if err != nil {
		return nil, fmt.Errorf("enclave: %w", errors.Join(err, pool.Close()))
	}
	made := &core{session: s, pool: pool, coffer: c, largest: pool.Stats().LargestSecret}
	// The smallest secret must open, or there is no use in sealing any.
	if made.largest < 1 {
		return nil, errors.Join(made.tooLarge(1), c.Close(), pool.Close())
	}
	return made, nil
}

// tooLarge is the error for a secret that could never be opened.
func (c *core) tooLarge(size int) error {
	b, err := c.pool.New(size)
	if err == nil {
		// It can be opened if nothing else is.
		err = errors.Join(locked.ErrExhausted, b.Destroy())
	}
	return fmt.Errorf("enclave: %w", err)
}

// NewBuffer returns a writable buffer of size zero bytes, which the caller
// destroys: see [locked.Pool.New].
func (s *Session) NewBuffer(size int) (*locked.Buffer, error) {
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	b, err := c.pool.New(size)
	if err != nil {
		return nil, refused(context.Background(), size, err)
	}
	return b, nil
}

// NewBufferContext is NewBuffer that waits while the budget is in use, in order
// of arrival, until ctx ends, and then returns an error that wraps its cause.
func (s *Session) NewBufferContext(ctx context.Context, size int) (*locked.Buffer, error) {
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	b, err := c.pool.NewContext(ctx, size)
	if err != nil {
		return nil, refused(ctx, size, err)
	}
	return b, nil
}

// Purge replaces the session key and destroys every open buffer. Enclaves made
// before never open again: it is [ErrPurged]. Slices of the buffers fault from
// then on. The functions that Use runs keep their secret until they return.
// Purge may be called at any time, from anywhere, also from within Use; calls
// that are under way finish with their own secret or an error.
func (s *Session) Purge() error {
	c := s.core.Load()
	if c == nil {
		return nil
	}
	// The key first: what was decrypted under the old one is then in a buffer
	// that the pool knows, and whatever comes later has the new one.
	if err := s.resetKey(); err != nil {
		return err
	}
	return c.pool.Purge()
}

// resetKey replaces the key alone, and the number. The key goes first: an enclave
// that has the new number was then sealed under the new key, and one that was
// sealed meanwhile counts as made before.
func (s *Session) resetKey() error {
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	c := s.core.Load()
	if c == nil {
		return nil
	}
	if err := c.coffer.Reset(); err != nil {
		return err
	}
	s.number.Store(uint32(s.now().next()))
	return nil
}

// openBuffers is [bridge.OpenBuffers].
func (s *Session) openBuffers() []any {
	c := s.core.Load()
	if c == nil {
		return nil
	}
	return bridge.PoolBuffers(c.pool)
}

// whyNot tells why a ciphertext of the number did not open.
func (s *Session) whyNot(n number) error {
	// A purge that has replaced the key replaces the number next.
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	if s.now() != n {
		return ErrPurged
	}
	return errTampered
}

// Close destroys the key and every open buffer, stops the timers, and gives all
// locked memory back. Later calls return [ErrClosed], and so do those that
// wait. If the system refuses to take some memory back, the error says so, and
// Close may be called again. The default session is not closed: it is an error.
func (s *Session) Close() error {
	if s == Default() {
		return errDefault
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.keyMu.Lock()
	if c := s.core.Swap(nil); c != nil {
		s.shut = c
		sessions.remove(s)
	}
	s.keyMu.Unlock()
	if s.shut == nil {
		return nil
	}
	err := errors.Join(s.shut.coffer.Close(), s.shut.pool.Close())
	s.final = s.shut.stats()
	if err != nil {
		return fmt.Errorf("enclave: %w", err)
	}
	s.shut = nil
	return nil
}

// Format prints the size of the session key alone, whatever the verb.
func (s *Session) Format(f fmt.State, verb rune) { redact.Secret(coffer.KeySize).Format(f, verb) }

// String returns the size of the session key alone: "[REDACTED 32 bytes]".
func (s *Session) String() string { return redact.Secret(coffer.KeySize).String() }

// GoString returns the size of the session key alone.
func (s *Session) GoString() string { return s.String() }

// LogValue logs the size of the session key alone.
func (s *Session) LogValue() slog.Value { return redact.Secret(coffer.KeySize).LogValue() }

// MarshalText encodes the size of the session key alone, in JSON too.
func (s *Session) MarshalText() ([]byte, error) { return redact.Secret(coffer.KeySize).MarshalText() }
