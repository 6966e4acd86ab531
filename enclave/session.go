package enclave

import (
	"context"
	"errors"
	"fmt"
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

// Errors that callers branch on with errors.Is, besides those of the package
// locked ([locked.ErrExhausted], [locked.ErrDestroyed], [locked.ErrCorrupted],
// [locked.ErrUnsupported] and *[locked.LimitError]).
var (
	// ErrEmpty says that there is no secret to keep.
	ErrEmpty = errors.New("enclave: an empty secret")

	// ErrDecrypt says that the ciphertext does not open: the session was
	// purged since, or the memory was tampered with.
	ErrDecrypt = coffer.ErrDecrypt

	// ErrClosed says that the session was closed.
	ErrClosed = locked.ErrClosed
)

// Overhead is how many bytes the ciphertext of an enclave is longer than its
// secret.
const Overhead = coffer.Overhead

// Config says how a Session is made. The zero value is a good choice.
type Config struct {
	// LockedBytes is the budget of locked memory, in bytes:
	// [locked.DefaultLockedBytes] if zero. It is cut to what the process may
	// lock, after raising the soft limit towards the hard one.
	LockedBytes int

	// RekeyInterval is how often the session key's shares are
	// re-randomised: [coffer.DefaultRekeyInterval] if zero, never if
	// negative.
	RekeyInterval time.Duration

	// Backend forces a mechanism for locked pages: the best one if empty.
	Backend locked.Backend

	// QuietPeriod is how long locked pages that nobody uses stay locked:
	// [locked.DefaultQuietPeriod] if zero.
	QuietPeriod time.Duration

	// NoSignals keeps the session from sending SIGURG to the process's threads:
	// see [coffer.Config].
	NoSignals bool
}

// A Session is a key and a budget of locked memory, and what the enclaves made
// with it share. It is safe for concurrent use. Most programs need only the
// default one; Close ends any other.
type Session struct {
	cfg    Config
	bare   bool                 // keeps no slots for Use
	core   atomic.Pointer[core] // nil until the first use, and once closed
	number number               // set before core

	mu     sync.Mutex // protects what follows, and the making of core
	closed bool
	final  Stats // what Stats says once closed
	shut   *core // closed, kept until all its memory could be given back
}

// core is the part of a session that takes resources.
type core struct {
	pool   *locked.Pool
	coffer *coffer.Coffer
	opens  atomic.Uint64 // attempts to decrypt for Open
}

// The package's only state. The default session takes no resources until its
// first use; the table has the sessions that took some, until they are closed.
var (
	defaultSession Session
	sessions       table
)

// Default returns the session behind the package's functions. It is made on
// its first use, with the default configuration; if that fails, the error is
// that of the call that needed it, and the next call tries again.
func Default() *Session { return &defaultSession }

// New seals the secret in the default session: see [Session.New].
func New(secret []byte) (*Enclave, error) { return defaultSession.New(secret) }

// NewRandom seals random bytes in the default session: see [Session.NewRandom].
func NewRandom(size int) (*Enclave, error) { return defaultSession.NewRandom(size) }

// NewCopy seals a copy of the secret in the default session: see
// [Session.NewCopy].
func NewCopy(secret []byte) (*Enclave, error) { return defaultSession.NewCopy(secret) }

// NewFunc seals what fill writes in the default session: see [Session.NewFunc].
func NewFunc(size int, fill func(dst []byte) error) (*Enclave, error) {
	return defaultSession.NewFunc(size, fill)
}

// Seal seals the buffer in the default session: see [Session.Seal].
func Seal(b *locked.Buffer) (*Enclave, error) { return defaultSession.Seal(b) }

// Purge purges the default session: see [Session.Purge].
func Purge() error { return defaultSession.Purge() }

// NewSession returns a session with a key of its own. Where the process may not
// lock the few pages that the smallest session takes, the error is a
// *[locked.LimitError] that says how to raise the limit; where the platform
// can't lock memory, [locked.ErrUnsupported]. A process has 65,536 open sessions
// at most; whoever made one closes it.
func NewSession(cfg Config) (*Session, error) { return newSession(&Session{cfg: cfg}) }

func init() {
	bridge.NewBareSession = func(cfg any) (any, error) { return newSession(&Session{cfg: cfg.(Config), bare: true}) }
	bridge.ResetKey = func(session any) error { return session.(*Session).resetKey() }
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
		return nil, ErrClosed
	}
	if c := s.core.Load(); c != nil {
		return c, nil
	}
	useSlots := runtime.GOMAXPROCS(0) + 1 // one for each processor, and one for nested calls
	if s.bare {
		useSlots = 0
	}
	pool, err := locked.NewPool(locked.Config{
		LockedBytes: s.cfg.LockedBytes,
		Backend:     s.cfg.Backend,
		QuietPeriod: s.cfg.QuietPeriod,
		UseSlots:    useSlots,
	})
	if err != nil {
		return nil, fmt.Errorf("enclave: %w", err)
	}
	c, err := newCore(pool, s.cfg)
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

func newCore(pool *locked.Pool, cfg Config) (*core, error) {
	c, err := coffer.New(pool, coffer.Config{RekeyInterval: cfg.RekeyInterval, NoSignals: cfg.NoSignals})
	if err != nil {
		return nil, fmt.Errorf("enclave: %w", errors.Join(err, pool.Close()))
	}
	// The smallest secret must open, or there is no use in sealing any.
	if err := pool.CanHold(1); err != nil {
		return nil, fmt.Errorf("enclave: %w", errors.Join(err, c.Close(), pool.Close()))
	}
	return &core{pool: pool, coffer: c}, nil
}

// NewBuffer returns a writable buffer of size zero bytes, which the caller
// destroys: see [locked.Pool.New].
func (s *Session) NewBuffer(size int) (*locked.Buffer, error) {
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	return c.pool.New(size)
}

// NewBufferContext is NewBuffer that waits while the budget is in use, in order
// of arrival, until ctx ends, and then returns its cause.
func (s *Session) NewBufferContext(ctx context.Context, size int) (*locked.Buffer, error) {
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	return c.pool.NewContext(ctx, size)
}

// Purge replaces the session key and destroys every open buffer. Enclaves made
// before never open again: it is [ErrDecrypt]. Slices of the buffers fault from
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

// resetKey replaces the key alone.
func (s *Session) resetKey() error {
	c := s.core.Load()
	if c == nil {
		return nil
	}
	return c.coffer.Reset()
}

// Close destroys the key and every open buffer, stops the timers, and gives all
// locked memory back. Later calls return [ErrClosed], and so do those that
// wait. If the system refuses to take some memory back, the error says so, and
// Close may be called again.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if c := s.core.Swap(nil); c != nil {
		s.shut = c
		sessions.remove(s)
	}
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

// Stats is what a session holds at one moment, and what it did so far.
type Stats struct {
	LockedBytes        int            // bytes locked now, as the process's limit counts them
	LockedBytesPeak    int            // the most there were
	LockedBytesAllowed int            // the most there may be: the budget
	LockedBytesCut     bool           // the process's limit allows less than was asked for
	DumpableBytes      int            // bytes that a core dump may hold, where the system can't leave them out
	Backend            locked.Backend // the mechanism in use
	BackendReason      string         // what the system answered for each better mechanism; empty for the best one, and for one that was forced
	OpenBuffers        int            // buffers not yet destroyed: one that grows for ever is a leak
	Waiters            int            // calls that wait for locked memory

	Seals    uint64 // enclaves made
	Opens    uint64 // secrets decrypted into buffers, failures included
	Uses     uint64 // secrets decrypted for Use, failures included
	Failures uint64 // of the opens and uses, those whose ciphertext did not open
	Rekeys   uint64 // times the key's shares were re-randomised

	LastLimitError *locked.LimitError // the last time the system refused to lock; nil for never
}

// Stats returns the session's figures. It takes a few locks for a moment, and
// makes nothing: of a session not used yet all figures are zero. After Close
// they stay as they were at its end.
func (s *Session) Stats() Stats {
	if c := s.core.Load(); c != nil {
		return c.stats()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.final
}

func (c *core) stats() Stats {
	pool := c.pool.Stats()
	opens, coffer := c.opens.Load(), c.coffer.Stats()
	return Stats{
		LockedBytes:        pool.LockedBytes,
		LockedBytesPeak:    pool.LockedBytesPeak,
		LockedBytesAllowed: pool.Budget,
		LockedBytesCut:     pool.BudgetCut,
		DumpableBytes:      pool.DumpableBytes,
		Backend:            pool.Backend,
		BackendReason:      pool.BackendReason,
		OpenBuffers:        pool.OpenBuffers,
		Waiters:            pool.Waiters,
		Seals:              coffer.Seals,
		Opens:              opens,
		Uses:               coffer.Opens - min(opens, coffer.Opens),
		Failures:           coffer.Failures,
		Rekeys:             coffer.Rekeys,
		LastLimitError:     pool.LastLimitError,
	}
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
