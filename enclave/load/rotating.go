package load

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/memkeep/memkeep/enclave"
)

const (
	// DefaultInterval is how often a Rotating reads its source: once a minute,
	// about as often as the kubelet updates its mounts.
	DefaultInterval = time.Minute

	// DefaultSettle is how long a changed file must stay the same before it is
	// used. Editors and scripts pause for less between two writes of one secret.
	DefaultSettle = 200 * time.Millisecond
)

// RotatingConfig configures a Rotating. The zero value is a good choice.
type RotatingConfig struct {
	// Loader reads the source.
	Loader Loader

	// Interval is how often the source is read: [DefaultInterval] if zero. On
	// Linux, inotify reports changes of files at once.
	Interval time.Duration

	// Settle is how long a file must stay the same after a change:
	// [DefaultSettle] if zero, not at all if negative.
	Settle time.Duration

	// PollOnly turns inotify off. It is for tests under testing/synctest, and for
	// network file systems, which report no changes.
	PollOnly bool

	// Check, if set, validates each new version, for example by parsing a key. If
	// it returns an error, the old version stays in use. It must not keep the
	// slice.
	Check func(secret []byte) error

	// OnReload, if set, is called after each new version but the first, and after
	// each failed attempt; LastError tells which. It runs on the goroutine that
	// follows the source, and must not call Reload or Close.
	OnReload func(RotatingStats)

	// between runs between renewing the watches and reading the source: for tests.
	between func()
}

// RotatingStats describes what a Rotating did.
type RotatingStats struct {
	Version    uint64    // of the secret in use; the first is 1
	Reloads    uint64    // times the source was read again
	Failures   uint64    // reloads that kept the old version because of an error
	LastError  error     // of the last reload; nil if it succeeded
	LastChange time.Time // when the version in use was read
	Retired    int       // older versions still in use
	Watched    bool      // the system reports changes
}

// A Rotating is a secret that follows its source: a file that Kubernetes or
// Vault's agent replaces, a systemd credential, the output of a command. A new
// version replaces the old one in one step; the old one is destroyed when its last
// use ends. If the new version can't be read, is empty, or fails Check, the old one
// stays in use, and OnReload and Stats report why.
//
// Programs that write the file should write a new file and rename it. A file that is
// written in place is used once it has stayed the same for Settle. Use Check to
// detect a file that stays incomplete for longer.
//
// A Rotating is safe for concurrent use. Close it when it is no longer needed.
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
// ends: do not pass a context whose deadline is meant for the first read alone. After
// ctx ends the last version stays in use. ref must be a file, a credential or a command;
// the other kinds do not change. If the first version can't
// be read, or fails Check, NewRotating returns an error.
func NewRotating(ctx context.Context, ref Ref, cfg RotatingConfig) (*Rotating, error) {
	switch ref.kind {
	case kindFile, kindCredential, kindCommand:
	case "":
		return nil, failed("reference", ErrNotSet)
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
		err = r.check(ctx, first)
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
		// Renew the watches first: they report what changes afterwards, and the
		// reload reads what changed before.
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
	if err := r.check(ctx, next); err != nil {
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

// same reports whether the current version holds the same secret. If that can't be
// opened, because the session was purged, only Reload replaces it.
func (r *Rotating) same(ctx context.Context, next *enclave.Enclave, asked bool) (bool, error) {
	v, err := r.acquire()
	if err != nil {
		return false, err
	}
	defer r.release(v)
	same, err := r.equal(ctx, v.secret, next)
	switch {
	case err != nil && asked:
		return false, nil
	case errors.Is(err, enclave.ErrPurged):
		return false, failed(r.ref.text(), fmt.Errorf("%w: Reload restores the secret", enclave.ErrPurged))
	}
	return same, err
}

// equal reports whether two enclaves hold the same, in time that depends on the
// sizes alone.
func (r *Rotating) equal(ctx context.Context, a, b *enclave.Enclave) (same bool, err error) {
	if a.Size() != b.Size() {
		// The older one may be of before a purge.
		return false, a.UseContext(ctx, func([]byte) error { return nil })
	}
	err = enclave.UseAllContext(ctx, func(secrets [][]byte) error {
		same = subtle.ConstantTimeCompare(secrets[0], secrets[1]) == 1
		return nil
	}, a, b)
	if _, ok := errors.AsType[*enclave.LimitError](err); ok {
		return r.equalByParts(ctx, a, b)
	}
	return same, err
}

// equalByParts is equal of two that do not fit into the locked memory at once, of one
// size.
func (r *Rotating) equalByParts(ctx context.Context, a, b *enclave.Enclave) (bool, error) {
	const partSize = 1 << 10
	equal := 1
	for from := 0; from < a.Size(); from += partSize {
		to := min(from+partSize, a.Size())
		var part *enclave.Enclave
		err := a.UseContext(ctx, func(secret []byte) (err error) {
			part, err = r.cfg.Loader.session().NewCopy(secret[from:to])
			return err
		})
		if err != nil {
			return false, err
		}
		err = enclave.UseAllContext(ctx, func(secrets [][]byte) error {
			equal &= subtle.ConstantTimeCompare(secrets[0], secrets[1][from:to])
			return nil
		}, part, b)
		part.Destroy()
		if err != nil {
			return false, err
		}
	}
	return equal == 1, nil
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
		same, err := r.equal(ctx, secret, again)
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

// check calls Check with a new version.
func (r *Rotating) check(ctx context.Context, secret *enclave.Enclave) error {
	if r.cfg.Check == nil {
		return nil
	}
	if err := secret.UseContext(ctx, r.cfg.Check); err != nil {
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

// Use calls fn with the current version of the secret: see [enclave.Enclave.Use]. A
// new version does not change the slice that fn has.
func (r *Rotating) Use(fn func(secret []byte) error) error {
	return r.UseContext(context.Background(), fn)
}

// UseContext is like [Rotating.Use], but if ctx ends the wait, it returns an error
// that wraps the context's cause.
func (r *Rotating) UseContext(ctx context.Context, fn func(secret []byte) error) error {
	v, err := r.acquire()
	if err != nil {
		return err
	}
	defer r.release(v)
	return v.secret.UseContext(ctx, fn)
}

// Get is like [Rotating.Use] for a function that returns a value. The value must not
// alias the secret.
func Get[T any](r *Rotating, fn func(secret []byte) (T, error)) (T, error) {
	return GetContext(context.Background(), r, fn)
}

// GetContext is like [Get], but if ctx ends the wait, it returns an error that wraps
// the context's cause.
func GetContext[T any](ctx context.Context, r *Rotating, fn func(secret []byte) (T, error)) (T, error) {
	var value T
	err := r.UseContext(ctx, func(secret []byte) (err error) {
		value, err = fn(secret)
		return err
	})
	return value, err
}

// Reload reads the source now, as programs do on SIGHUP. If it returns an error, the
// old version stays in use.
//
// A purge of the session makes the secret unreadable. A purge is deliberate, so new
// versions are not picked up after it: each read of the source fails with
// [enclave.ErrPurged] until Reload is called, which restores the secret as a new version
// even if the source has not changed.
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

// Stats returns the statistics.
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

// Close stops following the source, and waits for that. The secret is destroyed when
// its last use ends. Later calls of Use return [ErrClosed]. Closing again does
// nothing.
func (r *Rotating) Close() error {
	r.cancel()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retire()
	r.current = nil
	return nil
}
