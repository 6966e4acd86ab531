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
	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/locked"
)

// Config configures a Session. The zero value is a good choice.
type Config struct {
	// MaxLockedBytes is the budget of locked memory, in bytes:
	// [locked.DefaultLockedBytes] if zero. If the process may lock less, the
	// session raises the soft limit towards the hard one, and then reduces the
	// budget to what it may lock.
	//
	// The smallest session needs four pages. Two hold the shares of the key; up to an
	// eighth of the budget is kept for Use, and the rest is for buffers and larger
	// secrets, each of which takes whole pages. In a session of fewer than six pages, a
	// nested Use returns [ErrExhausted] where it would otherwise wait. With
	// [locked.MemfdSecret] a page that Use takes may count twice. Stats.LargestSecret is
	// the largest secret that fits.
	MaxLockedBytes int

	// RefreshInterval is how often the session key's shares are
	// re-randomised: [coffer.DefaultRefreshInterval] if zero, never if
	// negative. Register contents that signals saved to memory are overwritten at
	// the same time.
	RefreshInterval time.Duration

	// Backend forces a mechanism for locked pages. If empty, the session
	// chooses the best one.
	Backend locked.Backend

	// IdleTimeout is how long unused pages stay locked:
	// [locked.DefaultIdleTimeout] if zero. The pages kept for Use stay locked: at
	// most an eighth of the budget, and no more than one for each processor, plus one
	// for nested calls.
	IdleTimeout time.Duration

	// AllowUnlocked lets the session use memory that is not locked where the
	// process may not lock the smallest session, or the platform locks nothing.
	// Open secrets and the session key may then be written to swap. On DragonFly,
	// Plan 9, js and wasip1 the memory is [locked.Unguarded], and a slice kept after
	// Use returns can read and write a later secret. Stats.Unlocked reports it.
	AllowUnlocked bool

	// NoSignals keeps the session from sending SIGURG to the process's threads:
	// see [coffer.Config].
	NoSignals bool

	// NoRuntimeSecret keeps functions given to Use out of runtime/secret.Do, in a
	// program built with GOEXPERIMENT=runtimesecret; in any other it does nothing.
	// For a single call, use [WithoutRuntimeSecret]. The package documentation has
	// reasons for both.
	NoRuntimeSecret bool
}

// A Session is a key and a budget of locked memory, which its enclaves share. It
// is safe for concurrent use. Most programs need only the default one; the creator
// of any other closes it. The zero Session has the default configuration and is
// created on first use.
type Session struct {
	cfg    Config
	bare   bool                 // keeps no slots for Use
	core   atomic.Pointer[core] // nil until the first use, and once closed
	first  number               // set before core
	number atomic.Uint32        // of the enclaves made now: each key has another; set before core

	keyMu sync.Mutex // held while key and number change together

	mu     sync.Mutex // protects what follows, and the making of core; taken before keyMu
	closed bool
	shut   *core // closed: Stats reads it, and calls under way may still have memory of it
	gone   bool  // all the memory of shut was given back
}

// core is the part of a session that holds resources.
type core struct {
	session *Session
	pool    *locked.Pool
	coffer  *coffer.Coffer
	largest int           // size of the largest secret that can be opened
	opens   atomic.Uint64 // attempts to decrypt for Open
	uses    peak          // attempts to decrypt for Use, as Stats has reported them

	failures atomic.Uint64 // to decrypt, but for those that a purge explains
}

// now returns the number that new enclaves get.
func (s *Session) now() number { return number(s.number.Load()) }

// NewSession returns a session with a new random key. The caller closes it. If the
// process may not lock the few pages that the smallest session needs, the error is
// a *[LimitError]; if the platform can't lock memory, it is [ErrUnsupported]. With
// [Config.AllowUnlocked], neither is an error. A process can have 65,536 open
// sessions, but about 16,000 under Linux's default limit of 65,530 mappings.
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

// open returns the session's core, and creates it on first use.
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
	c, err := s.makeCore()
	if err != nil {
		return nil, err
	}
	if err := s.start(c); err != nil {
		return nil, errors.Join(err, c.coffer.Close(), c.pool.Close())
	}
	return c, nil
}

// start publishes c, so that enclaves find it. The caller holds mu.
func (s *Session) start(c *core) error {
	if err := sessions.add(s); err != nil {
		return err
	}
	s.core.Store(c)
	return nil
}

// makeCore returns a core in a pool of its own.
func (s *Session) makeCore() (*core, error) {
	cfg := s.poolConfig()
	pool, err := locked.NewPool(cfg)
	if err != nil {
		return nil, s.tooSmall(err)
	}
	c, err := s.newCore(pool)
	limit, ok := errors.AsType[*LimitError](err)
	if !ok || limit.Resource != locked.LockedMemory || !cfg.AllowUnlocked {
		return c, err
	}
	// The process may lock the smallest pool, but not the smallest session.
	unlocked, err := bridge.NewPool(page.OpenUnlocked(limit), cfg)
	if err != nil {
		return nil, err
	}
	return s.newCore(unlocked.(*locked.Pool))
}

func (s *Session) poolConfig() locked.Config {
	// One for each processor, and one for nested calls. Go raises GOMAXPROCS while the
	// program runs, as a container's limit is raised.
	useSlots := max(runtime.GOMAXPROCS(0), runtime.NumCPU()) + 1
	if s.bare {
		useSlots = 0
	}
	return locked.Config{
		LockedBytes:     s.cfg.MaxLockedBytes,
		Backend:         s.cfg.Backend,
		AllowUnlocked:   s.cfg.AllowUnlocked,
		IdleTimeout:     s.cfg.IdleTimeout,
		UseSlots:        useSlots,
		NoRuntimeSecret: s.cfg.NoRuntimeSecret,
	}
}

func (s *Session) newCore(pool *locked.Pool) (*core, error) {
	c, err := s.newCoffer(pool)
	if err != nil {
		return nil, join(s.tooSmall(err), pool.Close())
	}
	made := &core{session: s, pool: pool, coffer: c, largest: pool.Stats().LargestSecret}
	// If not even the smallest secret can be opened, nothing should be sealed.
	if made.largest < 1 {
		return nil, errors.Join(s.tooSmall(made.tooLarge(1)), c.Close(), pool.Close())
	}
	return made, nil
}

// tooSmall returns the error of a budget that does not hold the smallest session with what
// that needs. Other errors stay as they are.
func (s *Session) tooSmall(err error) error {
	pages := 4 // two for the key, one for Use and one for a buffer
	if s.bare {
		pages = 3 // none is kept for Use
	}
	limit, ok := errors.AsType[*LimitError](err)
	if !ok || limit.Resource != locked.LockedMemory || limit.Budget >= pages*page.Size() {
		return err
	}
	needs := *limit
	needs.Size, needs.Locked, needs.Requested = 0, 0, pages*page.Size()
	return &needs
}

func (s *Session) newCoffer(pool *locked.Pool) (*coffer.Coffer, error) {
	cfg := coffer.Config{RefreshInterval: s.cfg.RefreshInterval, NoSignals: s.cfg.NoSignals}
	if !s.bare {
		return coffer.New(pool, cfg)
	}
	c, err := bridge.NewCoffer(pool, cfg, 1) // the other pages are for buffers
	if err != nil {
		return nil, err
	}
	return c.(*coffer.Coffer), nil
}

// tooLarge is the error for a secret that could never be opened.
func (c *core) tooLarge(size int) error {
	b, err := c.pool.New(size)
	if err == nil {
		// It fits only while nothing else is open.
		err = join(locked.ErrExhausted, b.Destroy())
	}
	return err
}

// NewBuffer returns a writable buffer of size zero bytes. The caller destroys it. It
// returns [ErrExhausted] if the budget is in use, and a *[LimitError] if the system
// refuses to lock memory.
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

// NewBufferContext is like [Session.NewBuffer], but waits while the budget is in
// use. If ctx ends first, it returns an error that wraps the context's cause.
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
// before never open again: their calls return [ErrPurged]. Slices of destroyed
// buffers fault from then on. A function that Use is running keeps its secret until
// it returns. Purge may be called at any time, also from within Use; concurrent
// calls finish with their own secret or an error. The session can be used
// afterwards: make enclaves and keys of enclave/keys anew, and call Reload of what
// enclave/load follows. If Purge returns an error, the key or some buffers may be left:
// call it again. It does nothing in a session that was never used or is closed.
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

// resetKey replaces the key and the number. It replaces the key first, so that an
// enclave with the new number was sealed under the new key; one sealed in between
// counts as made before.
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

// whyNot returns why an enclave with that number did not decrypt.
func (s *Session) whyNot(n number) error {
	// A purge holds keyMu until it has replaced key and number.
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	if s.now() != n {
		return ErrPurged
	}
	return errTampered
}

// Close destroys the key and every open buffer, stops the timers, and returns all
// locked memory to the system: call it after all that uses the session has ended. Later
// and waiting calls return [ErrClosed]. If the system refuses to unmap some memory,
// Close returns an error and may be called again. Closing the default session is an
// error and does nothing.
//
// In a test with [testing/synctest], close a session in the bubble that used it: the
// runtime ends a program that stops a bubble's timer from outside.
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
	if s.shut == nil || s.gone {
		return nil
	}
	err := errors.Join(s.shut.coffer.Close(), s.shut.pool.Close())
	if err != nil {
		return fmt.Errorf("enclave: %w", err)
	}
	s.gone = true
	return nil
}

// Format prints what String returns, whatever the verb.
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// String returns the size of the session key, "[REDACTED 32 bytes]", and NOT LOCKED
// after it if the session's memory is not: see [Config.AllowUnlocked].
func (s *Session) String() string {
	text := redact.Secret(coffer.KeySize).String()
	if s != nil {
		if c := s.core.Load(); c != nil && c.pool.Stats().Unlocked {
			text += " NOT LOCKED"
		}
	}
	return text
}

// GoString returns what String does.
func (s *Session) GoString() string { return s.String() }

// LogValue logs what String returns.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText encodes what String returns, in JSON too.
func (s *Session) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
