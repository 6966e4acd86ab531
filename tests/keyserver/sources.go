package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/tests/keyserver/internal/api"
	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
)

// A namedRef is a key's name and where it is.
type namedRef struct {
	name string
	ref  load.Ref
}

// A set of sources is the keys that follow a file or a credential, and the API's
// token. Each is read again when it changes, and all of them by reload.
type sources struct {
	ctx      context.Context // ends what follows the sources
	cancel   context.CancelFunc
	vault    *vault
	log      *slog.Logger
	loader   load.Loader
	interval time.Duration
	dir      string // of keys, one to a file; empty for none

	token *load.Rotating // nil for none

	reloading sync.Mutex // held while keys come and go

	mu    sync.Mutex // protects what follows, for moments only
	keys  map[string]*source
	state api.Sources
	said  map[string]string // what was logged last of a source that fails
}

// openSources reads what the options name, and follows it until close is called.
func openSources(ctx context.Context, o options, v *vault, log *slog.Logger) (_ *sources, err error) {
	s := &sources{
		vault: v, log: log, interval: o.reloadInterval, dir: o.keysDir,
		loader: load.Loader{Session: v.session, MaxSize: intake.MaxText},
		keys:   map[string]*source{}, said: map[string]string{},
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if !o.token.IsZero() {
		if err := s.followToken(o.token); err != nil {
			return nil, fmt.Errorf("the token: %w", err)
		}
	}
	for _, k := range o.keyRefs {
		if err := s.follow(k, false); err != nil {
			return nil, fmt.Errorf("the key %q: %w", k.name, err)
		}
	}
	files, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range files {
		if err := s.follow(k, true); err != nil {
			return nil, fmt.Errorf("the key %q: %w", k.name, err)
		}
	}
	return s, nil
}

// close ends all that follows the sources. The keys stay as they are.
func (s *sources) close() {
	s.cancel()
	s.reloading.Lock()
	defer s.reloading.Unlock()
	for _, f := range s.all() {
		// It always succeeds.
		_ = f.rotating.Close()
	}
	if s.token != nil {
		_ = s.token.Close()
	}
}

// list returns the keys in the folder. It reads each file, so that all are there and
// of the kind that load takes.
func (s *sources) list(ctx context.Context) ([]namedRef, error) {
	if s.dir == "" {
		return nil, nil
	}
	files, err := s.loader.Dir(ctx, s.dir)
	if err != nil {
		return nil, err
	}
	var found []namedRef
	for _, name := range slices.Sorted(maps.Keys(files)) {
		files[name].Destroy()
		if err := intake.CheckName(name); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, name), err)
		}
		ref, err := load.ParseRef("file:" + filepath.Join(s.dir, name))
		if err != nil {
			return nil, err
		}
		found = append(found, namedRef{name, ref})
	}
	return found, nil
}

// A source is a key that follows a file or a credential.
type source struct {
	set      *sources
	name     string
	fromDir  bool
	rotating *load.Rotating
	ready    chan struct{} // closed once rotating and typ are set
	typ      keyring.Type  // empty if its first version was refused
	refused  error         // why the version of rotating is not in use; the set's mu protects it
}

// follow enters a key and follows its source. The caller holds reloading, or is
// the only one that knows s.
func (s *sources) follow(k namedRef, fromDir bool) (err error) {
	f := &source{set: s, name: k.name, fromDir: fromDir, ready: make(chan struct{})}
	f.rotating, err = load.NewRotating(s.ctx, k.ref, load.RotatingConfig{
		Loader: s.loader, Interval: s.interval,
		// A watch for each file of a large folder would use up those that a user may
		// have.
		PollOnly: fromDir,
		OnReload: f.changed,
	})
	if err != nil {
		return err
	}
	err = f.take(func(key *keyring.Key) error {
		err := s.vault.ring.AddManaged(f.name, key)
		if err == nil {
			f.typ = key.Type()
		}
		return err
	})
	close(f.ready)
	if err != nil {
		return errors.Join(err, f.rotating.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[k.name] = f
	return nil
}

// take makes a key of the source's current version, and gives it to enter, which
// owns it if it succeeds.
func (f *source) take(enter func(*keyring.Key) error) error {
	ctx := f.set.ctx
	return f.set.vault.desk.Use(ctx, func(text, _ []byte) error {
		n, err := load.GetContext(ctx, f.rotating, func(secret []byte) (int, error) {
			// Byte by byte: copy moves through wide registers, whose content the
			// runtime saves elsewhere when it preempts the goroutine.
			subtle.ConstantTimeCopy(1, text[:len(secret)], secret)
			return len(secret), nil
		})
		if err != nil {
			return err
		}
		key, err := f.set.vault.ring.Import(ctx, text[:n])
		if err != nil {
			return err
		}
		if err := enter(key); err != nil {
			key.Destroy()
			return err
		}
		return nil
	})
}

// errOtherType reports a source whose key is of another type than it was.
var errOtherType = errors.New("the type of a key can't change")

// renew puts the source's current version in the place of the key.
func (f *source) renew() error {
	return f.take(func(key *keyring.Key) error {
		if key.Type() != f.typ {
			return fmt.Errorf("%w: it was %s, and what is there now is %s", errOtherType, f.typ, key.Type())
		}
		return f.set.vault.ring.Replace(f.name, key)
	})
}

// changed is told what came of a change.
func (f *source) changed(stats load.RotatingStats) {
	<-f.ready
	if f.typ == "" {
		return // follow says why, and ends it
	}
	if stats.LastError != nil {
		f.set.note(f.name, stats.LastError)
		return
	}
	f.use()
}

// use puts the source's new version in use, and notes what came of it.
func (f *source) use() {
	err := f.renew()
	f.set.mu.Lock()
	f.refused = err
	f.set.mu.Unlock()
	f.set.note(f.name, err)
}

// failure returns why the newest version is not in use; nil if it is.
func (f *source) failure() error {
	if err := f.rotating.Stats().LastError; err != nil {
		return err
	}
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	return f.refused
}

// note counts what came of a change of a source, and logs it.
func (s *sources) note(name string, err error) {
	if s.ctx.Err() != nil {
		return // what fails at the end is not worth a line
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.state.Versions++
		s.state.LastVersion = time.Now()
		delete(s.said, name)
		s.log.Info("new version", "source", name)
		return
	}
	s.state.Refused++
	if text := err.Error(); text != s.said[name] {
		s.said[name] = text
		s.log.Warn("the old version stays in use", "source", name, "error", err)
	}
}

// all returns the keys' sources, by name.
func (s *sources) all() []*source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.keys), func(a, b *source) int { return strings.Compare(a.name, b.name) })
}

// State returns what an operator wants to know.
func (s *sources) State() api.Sources {
	var failing []api.Failing
	all := s.all()
	for _, f := range all {
		if err := f.failure(); err != nil {
			failing = append(failing, api.Failing{Name: f.name, Err: err})
		}
	}
	if s.token != nil {
		if err := s.token.Stats().LastError; err != nil {
			failing = append(failing, api.Failing{Name: tokenName, Err: err})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.Keys, state.Failing = len(all), failing
	return state
}

// An outcome is what a reload did.
type outcome struct {
	read, changed, added, gone int
	errs                       []error // of those that stay as they were
}

// reloads is how many sources are read at once.
const reloads = 8

// reload reads all sources again, and the folder's listing. What can't be read, or
// is no key, stays as it was.
func (s *sources) reload() (o outcome) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	before := s.State().Versions
	s.relist(&o)
	var group sync.WaitGroup
	var mu sync.Mutex // protects o
	free := make(chan struct{}, reloads)
	each := func(name string, read func() error) {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			err := read()
			mu.Lock()
			defer mu.Unlock()
			o.read++
			if err != nil {
				o.errs = append(o.errs, fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	for _, f := range s.all() {
		each(f.name, f.reload)
	}
	if s.token != nil {
		each(tokenName, func() error { return s.token.Reload(s.ctx) })
	}
	group.Wait()
	slices.SortFunc(o.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	o.changed = int(s.State().Versions - before)
	return o
}

// reload reads one source. A version that was refused, and is still there, is tried
// again.
func (f *source) reload() error {
	before := f.rotating.Stats().Version
	if err := f.rotating.Reload(f.set.ctx); err != nil {
		return err
	}
	if f.failure() != nil && f.rotating.Stats().Version == before {
		f.use()
	}
	return f.failure()
}

// relist enters the keys whose files are new, and takes out those whose files are
// gone. The caller holds reloading.
func (s *sources) relist(o *outcome) {
	files, err := s.list(s.ctx)
	if err != nil {
		o.errs = append(o.errs, err)
		return
	}
	known, there := map[string]bool{}, map[string]bool{}
	for _, f := range s.all() {
		known[f.name] = f.fromDir
	}
	for _, k := range files {
		there[k.name] = true
		if known[k.name] {
			continue
		}
		if err := s.follow(k, true); err != nil {
			o.errs = append(o.errs, fmt.Errorf("%s: %w", k.name, err))
			continue
		}
		o.added++
	}
	for _, f := range s.all() {
		if f.fromDir && !there[f.name] {
			s.drop(f)
			o.gone++
		}
	}
}

// drop takes a key out whose source is gone. The caller holds reloading.
func (s *sources) drop(f *source) {
	_ = f.rotating.Close()
	s.vault.ring.DeleteManaged(f.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, f.name)
	delete(s.said, f.name)
}
