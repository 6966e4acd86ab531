package load

import (
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/memkeep/memkeep/enclave"
)

const (
	// DefaultInterval is how often a Rotating reads its source: each minute,
	// which is about how often the kubelet brings changes.
	DefaultInterval = time.Minute

	// DefaultSettle is how long a changed file must stay the same before it is
	// used: no editor or script takes as long between two writes of one secret.
	DefaultSettle = 200 * time.Millisecond
)

// RotatingConfig says how a Rotating follows its source. The zero value is a good
// choice.
type RotatingConfig struct {
	// Loader reads the source.
	Loader Loader

	// Interval is how often the source is read: [DefaultInterval] if zero. On
	// Linux a change of a file is noticed at once besides.
	Interval time.Duration

	// Settle is how long a file must stay the same after a change:
	// [DefaultSettle] if zero, not at all if negative.
	Settle time.Duration

	// PollOnly follows files by reading them alone, without inotify: for tests
	// under testing/synctest, and for file systems on a network, which do not
	// tell.
	PollOnly bool

	// Check, if set, refuses a new version that is not whole or not valid by
	// returning an error, such as a key that does not parse. It must not keep
	// the slice.
	Check func(secret []byte) error

	// OnReload, if set, is told of each new version and of each attempt that
	// failed: LastError tells which. It runs on the goroutine that follows the
	// source, and must not call Reload or Close.
	OnReload func(RotatingStats)

	// between runs between renewing the watches and reading the source: for tests.
	between func()
}

// RotatingStats is what a Rotating did so far.
type RotatingStats struct {
	Version    uint64    // of the secret in use; the first is 1
	Reloads    uint64    // times the source was read again
	Failures   uint64    // of these, those that kept the old version
	LastError  error     // of the last time; nil if it went well
	LastChange time.Time // when the version in use came
	Retired    int       // older versions that are still in use
	Watched    bool      // the system tells of changes
}

// A Rotating is a secret that follows its source: a file that Kubernetes or
// Vault's agent replaces, a systemd credential, the output of a command. A new
// version takes the place of the old one in one step, and the old one is destroyed
// when its last use ends. If the new version can't be read, is empty, or is
// refused, the old one stays in use, and OnReload and Stats say why.
//
// Whoever writes the file should write a new one and rename it. One that is
// written in place is taken once it stays the same for the time that Settle
// gives; Check recognises a version that is cut short for longer.
//
// A Rotating is safe for concurrent use. Close ends it.
type Rotating struct {
	cfg    RotatingConfig
	ref    Ref
	cancel context.CancelFunc
	asked  chan chan error // Reload's requests
	done   chan struct{}   // closed when the goroutine has ended

	mu      sync.Mutex // protects what follows
	current *version   // nil once closed
	stats   RotatingStats
}

// A version is one secret that the source had. Its fields are protected by its
// Rotating's mu.
type version struct {
	secret *enclave.Enclave
	uses   int
	old    bool // another one is current; the last use destroys it
}

// NewRotating reads the secret and follows its source until Close is called or ctx
// ends; after the latter the last version stays. The reference is a file, a
// credential or a command; the other kinds do not change. If the first version
// can't be read, or is refused, NewRotating fails.
func NewRotating(ctx context.Context, ref Ref, cfg RotatingConfig) (*Rotating, error) {
	switch ref.kind {
	case kindFile, kindCredential, kindCommand:
	default:
		return nil, failed(ref.text(), fmt.Errorf("%w: this kind does not change", ErrInvalidRef))
	}
	if cfg.Interval <= 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.Settle == 0 {
		cfg.Settle = DefaultSettle
	}
	r := &Rotating{cfg: cfg, ref: ref, asked: make(chan chan error), done: make(chan struct{})}
	// Watch first: what changes after the first read is not missed.
	w := r.watch()
	first, err := cfg.Loader.Resolve(ctx, ref)
	if err == nil {
		err = r.check(first)
	}
	if err != nil {
		first.Destroy()
		w.close()
		return nil, err
	}
	r.current = &version{secret: first}
	r.stats = RotatingStats{Version: 1, LastChange: time.Now(), Watched: w.works()}
	ctx, r.cancel = context.WithCancel(ctx)
	go r.follow(ctx, w)
	return r, nil
}

// watch watches the files of the source, if there are any.
func (r *Rotating) watch() *watch {
	if r.cfg.PollOnly || r.ref.kind == kindCommand {
		return nil
	}
	path := r.ref.arg
	if r.ref.kind == kindCredential {
		path = credentialPath(path)
	}
	return newWatch(path)
}

// follow reads the source until ctx ends. It is the Rotating's goroutine, and the
// only one that makes versions.
func (r *Rotating) follow(ctx context.Context, w *watch) {
	defer close(r.done)
	defer w.close()
	timer := time.NewTimer(r.cfg.Interval)
	defer timer.Stop()
	for {
		var answer chan error
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-w.events():
		case answer = <-r.asked:
		}
		// The watches first: what changes after that is told, what changed before is
		// read.
		w.renew()
		if r.cfg.between != nil {
			r.cfg.between()
		}
		err := r.reload(ctx, answer != nil)
		if answer != nil {
			answer <- err
		}
		timer.Reset(r.cfg.Interval)
	}
}

// reload reads the source, and puts what it has in the current version's place if
// that differs, or if it was asked for and can't be compared.
func (r *Rotating) reload(ctx context.Context, asked bool) error {
	next, err := r.read(ctx, asked)
	if ctx.Err() != nil {
		next.Destroy()
		return context.Cause(ctx)
	}
	r.mu.Lock()
	r.stats.Reloads++
	r.stats.LastError = err
	changed := next != nil && r.current != nil
	switch {
	case err != nil:
		r.stats.Failures++
	case changed:
		r.retire()
		r.current = &version{secret: next}
		r.stats.Version++
		r.stats.LastChange = time.Now()
	}
	stats := r.stats
	r.mu.Unlock()
	if r.cfg.OnReload != nil && (changed || err != nil) {
		r.cfg.OnReload(stats)
	}
	return err
}

// read returns the source's secret, or nil if it is the current one.
func (r *Rotating) read(ctx context.Context, asked bool) (*enclave.Enclave, error) {
	next, err := r.cfg.Loader.Resolve(ctx, r.ref)
	if err != nil {
		return nil, err
	}
	same, err := r.same(ctx, next, asked)
	if err != nil || same {
		next.Destroy()
		return nil, err
	}
	if next, err = r.settled(ctx, next); err != nil {
		return nil, err
	}
	if err := r.check(next); err != nil {
		next.Destroy()
		return nil, err
	}
	// It may have settled on what it was before.
	if same, err = r.same(ctx, next, asked); err != nil || same {
		next.Destroy()
		return nil, err
	}
	return next, nil
}

// same reports whether the current version holds the same secret. One that does
// not open, since the session was purged, comes back only if it was asked for.
func (r *Rotating) same(ctx context.Context, next *enclave.Enclave, asked bool) (bool, error) {
	v, err := r.acquire()
	if err != nil {
		return false, err
	}
	defer r.release(v)
	same, err := equal(ctx, v.secret, next)
	if err != nil && asked {
		return false, nil
	}
	return same, err
}

// equal reports whether two enclaves hold the same, in time that depends on the
// sizes alone.
func equal(ctx context.Context, a, b *enclave.Enclave) (same bool, err error) {
	err = enclave.UseAllContext(ctx, func(secrets [][]byte) error {
		same = subtle.ConstantTimeCompare(secrets[0], secrets[1]) == 1
		return nil
	}, a, b)
	return same, err
}

// settled reads a file again until it is the same twice, and returns that. It
// takes secret over.
func (r *Rotating) settled(ctx context.Context, secret *enclave.Enclave) (*enclave.Enclave, error) {
	if r.ref.kind == kindCommand || r.cfg.Settle < 0 {
		return secret, nil
	}
	const tries = 50
	for range tries {
		select {
		case <-ctx.Done():
			secret.Destroy()
			return nil, context.Cause(ctx)
		case <-time.After(r.cfg.Settle):
		}
		again, err := r.cfg.Loader.Resolve(ctx, r.ref)
		if err != nil {
			secret.Destroy()
			return nil, err
		}
		same, err := equal(ctx, secret, again)
		secret.Destroy()
		if err != nil {
			again.Destroy()
			return nil, err
		}
		if same {
			return again, nil
		}
		secret = again
	}
	secret.Destroy()
	return nil, failed(r.ref.text(), ErrUnsettled)
}

// check has the program look at a new version.
func (r *Rotating) check(secret *enclave.Enclave) error {
	if r.cfg.Check == nil {
		return nil
	}
	if err := secret.Use(r.cfg.Check); err != nil {
		return failed(r.ref.text(), err)
	}
	return nil
}

// acquire returns the current version, which stays until it is released.
func (r *Rotating) acquire() (*version, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return nil, ErrClosed
	}
	r.current.uses++
	return r.current, nil
}

func (r *Rotating) release(v *version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v.uses--; v.uses == 0 && v.old {
		v.secret.Destroy()
		r.stats.Retired--
	}
}

// retire makes the current version an old one. The caller holds mu.
func (r *Rotating) retire() {
	v := r.current
	if v == nil {
		return
	}
	v.old = true
	if v.uses == 0 {
		v.secret.Destroy()
	} else {
		r.stats.Retired++
	}
}

// Use runs fn on the secret's current version: see [enclave.Enclave.Use]. A new
// version that comes meanwhile does not change what fn has.
func (r *Rotating) Use(fn func(secret []byte) error) error {
	return r.UseContext(context.Background(), fn)
}

// UseContext is Use that waits until ctx ends, and then returns its cause.
func (r *Rotating) UseContext(ctx context.Context, fn func(secret []byte) error) error {
	v, err := r.acquire()
	if err != nil {
		return err
	}
	defer r.release(v)
	return v.secret.UseContext(ctx, fn)
}

// Get is [Rotating.Use] for a function that returns a value. The value must not
// alias the secret.
func Get[T any](r *Rotating, fn func(secret []byte) (T, error)) (T, error) {
	return GetContext(context.Background(), r, fn)
}

// GetContext is Get that waits until ctx ends, and then returns its cause.
func GetContext[T any](ctx context.Context, r *Rotating, fn func(secret []byte) (T, error)) (T, error) {
	var value T
	err := r.UseContext(ctx, func(secret []byte) (err error) {
		value, err = fn(secret)
		return err
	})
	return value, err
}

// Reload reads the source now, as a program does on SIGHUP, and returns the error
// that kept the old version, if one did. After a purge of the session it is what
// brings the secret back.
func (r *Rotating) Reload(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case r.asked <- answer:
	case <-r.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-answer:
		return err
	case <-r.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stats returns the figures.
func (r *Rotating) Stats() RotatingStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Format prints the source alone, whatever the verb.
func (r *Rotating) Format(f fmt.State, _ rune) {
	// A printer that can't write has nowhere to report it either.
	_, _ = f.Write([]byte(r.String()))
}

// String returns the source.
func (r *Rotating) String() string { return r.ref.text() }

// LogValue logs the source.
func (r *Rotating) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Close stops following the source, waits until that has ended, and destroys the
// secret when its last use ends. Later calls of Use return [ErrClosed]. Closing
// again does nothing.
func (r *Rotating) Close() error {
	r.cancel()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retire()
	r.current = nil
	return nil
}
