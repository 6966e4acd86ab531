package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// inBubble runs f under a clock of its own, with a loader whose session lives
// there.
func inBubble(t *testing.T, f func(t *testing.T, l load.Loader)) {
	t.Helper()
	testenv.Lockable(t, budget())
	synctest.Test(t, func(t *testing.T) {
		s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: budget(), AllowUnlocked: testenv.AllowUnlocked})
		if err != nil {
			t.Fatal(err)
		}
		f(t, load.Loader{Session: s})
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// replace puts a new file in the old one's place.
func replace(t testing.TB, path, text string) {
	t.Helper()
	next := write(t, filepath.Dir(path), ".next", text)
	err := os.Rename(next, path)
	for runtime.GOOS == "windows" && errors.Is(err, fs.ErrPermission) {
		err = os.Rename(next, path) // somebody reads the old one
	}
	if err != nil {
		t.Fatal(err)
	}
}

func rotating(t testing.TB, ref string, cfg load.RotatingConfig) *load.Rotating {
	t.Helper()
	r, err := load.NewRotating(t.Context(), parse(t, ref), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func has(t testing.TB, r *load.Rotating, want string) {
	t.Helper()
	got, err := load.Get(r, func(secret []byte) (string, error) { return string(secret), nil })
	if err != nil || got != want {
		t.Errorf("the secret is %q, %v; want %q", got, err, want)
	}
}

func closed(t testing.TB, r *load.Rotating) {
	t.Helper()
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := r.Use(func([]byte) error { return nil }); err != load.ErrClosed {
		t.Errorf("Use after Close: %v", err)
	}
	if err := r.Reload(context.WithoutCancel(t.Context())); err != load.ErrClosed {
		t.Errorf("Reload after Close: %v", err)
	}
}

// A record is what OnReload was told.
type record struct {
	mu   sync.Mutex
	told []load.RotatingStats
}

func (r *record) add(s load.RotatingStats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, s)
}

func (r *record) all() []load.RotatingStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

func TestRotatingFollowsItsFileAtEachInterval(t *testing.T) {
	t.Parallel()
	path := write(t, testenv.TempDir(t), "secret", "first\n")
	inBubble(t, func(t *testing.T, l load.Loader) {
		var told record
		start := time.Now()
		r := rotating(t, "file:"+path, load.RotatingConfig{Loader: l, PollOnly: true,
			OnReload: told.add})
		has(t, r, "first")
		if s := r.Stats(); s != (load.RotatingStats{Version: 1, LastChange: start}) {
			t.Errorf("%+v", s)
		}
		replace(t, path, "second")
		time.Sleep(load.DefaultInterval - 1)
		has(t, r, "first")
		time.Sleep(1 + load.DefaultSettle)
		synctest.Wait()
		has(t, r, "second")
		want := load.RotatingStats{Version: 2, Reloads: 1, LastChange: start.Add(load.DefaultInterval + load.DefaultSettle)}
		if s := r.Stats(); s != want || !slices.Equal(told.all(), []load.RotatingStats{want}) {
			t.Errorf("%+v, told %+v", s, told.all())
		}
		// The same again is no new version.
		replace(t, path, "second")
		time.Sleep(10 * load.DefaultInterval)
		synctest.Wait()
		if s := r.Stats(); s.Version != 2 || s.Reloads < 10 || s.Failures != 0 || len(told.all()) != 1 {
			t.Errorf("%+v, told %+v", s, told.all())
		}
		closed(t, r)
	})
}

func TestAVersionThatIsNotWholeKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	dir := testenv.TempDir(t)
	inBubble(t, func(t *testing.T, l load.Loader) {
		path := write(t, dir, "secret", content)
		notWhole := errors.New("not whole")
		var record record
		r := rotating(t, "file:"+path, load.RotatingConfig{Loader: l, PollOnly: true,
			Check: func(secret []byte) error {
				if strings.HasSuffix(string(secret), "half") {
					return notWhole
				}
				return nil
			},
			OnReload: record.add,
		})
		bad := []struct {
			make func()
			want error
		}{
			{func() { os.Remove(path) }, fs.ErrNotExist},
			{func() { replace(t, path, "") }, enclave.ErrEmpty},
			{func() { replace(t, path, "\n") }, enclave.ErrEmpty},
			{func() { replace(t, path, "half") }, notWhole},
			{func() { os.Truncate(path, 1<<30) }, load.ErrTooLarge},
			{func() { os.Remove(path); os.Mkdir(path, 0o700) }, load.ErrNotFile},
		}
		for i, b := range bad {
			b.make()
			time.Sleep(load.DefaultInterval + time.Second)
			synctest.Wait()
			has(t, r, content)
			s, told := r.Stats(), record.all()
			if len(told) != i+1 || s.Failures != uint64(i+1) || s.Version != 1 {
				t.Fatalf("%d: told %v, %+v", i, told, s)
			}
			refused(t, nil, told[i].LastError, b.want, "file:"+path)
			refused(t, nil, s.LastError, b.want, "file:"+path)
		}
		os.Remove(path)
		replace(t, path, "new")
		if err := r.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		has(t, r, "new")
		if s := r.Stats(); s.LastError != nil || s.Version != 2 {
			t.Errorf("%+v", s)
		}
		closed(t, r)
		// The first version is not the exception.
		replace(t, path, "half")
		_, err := load.NewRotating(t.Context(), parse(t, "file:"+path), load.RotatingConfig{Loader: l, PollOnly: true,
			Check: func([]byte) error { return notWhole }})
		refused(t, nil, err, notWhole, "file:"+path)
	})
}

func TestAFileThatIsWrittenInPiecesIsTakenOnceItSettles(t *testing.T) {
	t.Parallel()
	path := write(t, testenv.TempDir(t), "secret", "old")
	inBubble(t, func(t *testing.T, l load.Loader) {
		r := rotating(t, "file:"+path, load.RotatingConfig{Loader: l, PollOnly: true})
		time.Sleep(load.DefaultInterval - time.Millisecond)
		for i := range 20 {
			if err := os.WriteFile(path, []byte(content[:i+1]), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(load.DefaultSettle / 2)
			has(t, r, "old")
		}
		time.Sleep(3 * load.DefaultSettle)
		synctest.Wait()
		has(t, r, content[:20])
		if s := r.Stats(); s.Version != 2 || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
		if runtime.GOOS == "windows" {
			closed(t, r)
			return // a file can't be replaced while it is read
		}
		// One that never does is an error.
		i := 0
		replace(t, path, "begun")
		ctx, cancel := context.WithCancel(t.Context())
		var writer sync.WaitGroup
		writer.Go(func() {
			for ; ctx.Err() == nil; i++ {
				replace(t, path, fmt.Sprint(i))
				time.Sleep(load.DefaultSettle / 2)
			}
		})
		if err := r.Reload(t.Context()); !errors.Is(err, load.ErrUnsettled) {
			t.Errorf("%v", err)
		}
		cancel()
		writer.Wait()
		has(t, r, content[:20])
		closed(t, r)
	})
}

func TestAnOldVersionIsDestroyedWhenItsLastUseEnds(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	path := write(t, testenv.TempDir(t), "secret", "first")
	r := rotating(t, "file:"+path, load.RotatingConfig{Loader: l, PollOnly: true, Settle: -1})
	rotate := func(text string) {
		replace(t, path, text)
		if err := r.Reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	isDestroyed := func(e *enclave.Enclave) bool {
		err := e.Use(func([]byte) error { return nil })
		if err != nil && !errors.Is(err, enclave.ErrDestroyed) {
			t.Error(err)
		}
		return err != nil
	}
	first := r.Current()
	var second, third *enclave.Enclave
	err := r.Use(func(secret []byte) error {
		rotate("second")
		if string(secret) != "first" || r.Stats().Retired != 1 || isDestroyed(first) {
			t.Errorf("%q, %+v", secret, r.Stats())
		}
		has(t, r, "second")
		second = r.Current()
		rotate("third")
		if !isDestroyed(second) {
			t.Error("a version that nobody uses stays when the next one comes")
		}
		third = r.Current()
		return r.Close()
	})
	if err != nil || r.Stats().Retired != 0 {
		t.Errorf("%v, %+v", err, r.Stats())
	}
	if !isDestroyed(first) || !isDestroyed(third) {
		t.Error("a version stays after its last use, or after Close")
	}
	closed(t, r)
}

func TestAPurgedSecretComesBackOnlyIfAskedFor(t *testing.T) {
	t.Parallel()
	path := write(t, testenv.TempDir(t), "secret", content)
	inBubble(t, func(t *testing.T, l load.Loader) {
		r := rotating(t, "file:"+path, load.RotatingConfig{Loader: l, PollOnly: true})
		if err := l.Session.Purge(); err != nil {
			t.Fatal(err)
		}
		for _, now := range []string{content, "a new version"} {
			replace(t, path, now)
			time.Sleep(3 * load.DefaultInterval)
			synctest.Wait()
			if err := r.Use(func([]byte) error { return nil }); !errors.Is(err, enclave.ErrPurged) || r.Stats().Failures == 0 {
				t.Errorf("after a purge: %v, %+v", err, r.Stats())
			}
			refused(t, nil, r.Stats().LastError, enclave.ErrPurged, "file:"+path)
			told, err := json.Marshal(r.Stats())
			if err != nil || !strings.Contains(string(told), "Reload restores the secret") {
				t.Errorf("%s, %v", told, err)
			}
		}
		if err := r.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		has(t, r, "a new version")
		closed(t, r)
	})
}

func TestTheEndOfTheContextEndsTheFollowingAndKeepsTheSecret(t *testing.T) {
	t.Parallel()
	path := write(t, testenv.TempDir(t), "secret", content)
	inBubble(t, func(t *testing.T, l load.Loader) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := load.NewRotating(ctx, parse(t, "file:"+path), load.RotatingConfig{Loader: l, PollOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		replace(t, path, "new")
		time.Sleep(10 * load.DefaultInterval)
		has(t, r, content)
		closed(t, r)
		if _, err := load.NewRotating(ctx, parse(t, "file:"+path), load.RotatingConfig{Loader: l, PollOnly: true}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestOnlyWhatChangesCanRotate(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"env:A", "fd:3"} {
		_, err := load.NewRotating(t.Context(), parse(t, ref), load.RotatingConfig{})
		refused(t, nil, err, load.ErrInvalidRef, ref)
	}
	if _, err := load.NewRotating(t.Context(), load.Ref{}, load.RotatingConfig{}); !errors.Is(err, load.ErrNotSet) {
		t.Errorf("%v", err)
	}
	_, err := load.NewRotating(t.Context(), parse(t, "cmd:echo a"), load.RotatingConfig{})
	refused(t, nil, err, load.ErrNotAllowed, "cmd:echo")
}

func TestRotatingFollowsACommandAndAField(t *testing.T) {
	t.Parallel()
	need(t, "cat")
	dir := testenv.TempDir(t)
	l := newLoader(t)
	l.Commands = []string{"cat"}
	path := write(t, dir, "plain", "first")
	asJSON := write(t, dir, "json", `{"a":"first"}`)
	for _, ref := range []string{"cmd:cat " + path, "file:" + asJSON + "#a"} {
		r := rotating(t, ref, load.RotatingConfig{Loader: l, PollOnly: true, Settle: -1})
		has(t, r, "first")
		write(t, dir, "json", `{"a":"sec`)
		write(t, dir, "plain", "")
		if err := r.Reload(t.Context()); err == nil {
			t.Error("half a version is no error")
		}
		has(t, r, "first")
		write(t, dir, "json", `{"a":"second"}`)
		write(t, dir, "plain", "second")
		if err := r.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		has(t, r, "second")
		closed(t, r)
		write(t, dir, "json", `{"a":"first"}`)
		write(t, dir, "plain", "first")
	}
}

// Each version is one byte, many times: a mixture would show.
func TestEachUseSeesAWholeVersionWhileItRotates(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: a file can't be replaced while it is read")
	}
	l := load.Loader{Session: newSession(t, 12*os.Getpagesize())}
	version := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 100+i%7) }
	path := write(t, testenv.TempDir(t), "secret", version(0))
	var reloads atomic.Uint64
	r := rotating(t, "file:"+path, load.RotatingConfig{Loader: l, Settle: -1, Interval: time.Millisecond,
		OnReload: func(s load.RotatingStats) {
			if s.LastError != nil {
				t.Error(s.LastError)
			}
			reloads.Add(1)
		}})
	ctx, cancel := context.WithCancel(t.Context())
	var users sync.WaitGroup
	var uses atomic.Uint64
	for range 8 {
		users.Go(func() {
			for ctx.Err() == nil {
				err := r.Use(func(secret []byte) error {
					if len(secret) < 100 || strings.Trim(string(secret), string(secret[:1])) != "" {
						return errors.New("a mixture")
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				uses.Add(1)
				testenv.GiveWay()
			}
		})
	}
	const rotations = 60
	for i := range rotations {
		replace(t, path, version(i+1))
		if i%2 == 0 {
			if err := r.Reload(t.Context()); err != nil {
				t.Error(err)
			}
			// No update is lost: what was there before Reload is in use after it.
			has(t, r, version(i+1))
		}
		runtime.Gosched()
	}
	cancel()
	users.Wait()
	if s := r.Stats(); s.Version < rotations/2 || s.Failures != 0 || s.Retired != 0 {
		t.Errorf("%+v", s)
	}
	t.Logf("%d uses during %d versions", uses.Load(), r.Stats().Version)
	closed(t, r)
}

func TestConcurrentReloadsAgree(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	path := write(t, testenv.TempDir(t), "secret", "0")
	r := rotating(t, "file:"+path, load.RotatingConfig{Loader: l, PollOnly: true, Settle: -1})
	replace(t, path, "1")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := r.Reload(t.Context()); err != nil {
				t.Error(err)
			}
			has(t, r, "1")
		})
	}
	all.Wait()
	if s := r.Stats(); s.Version != 2 || s.Reloads != 8 {
		t.Errorf("%+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Reload(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	closed(t, r)
}

// A new version is compared with the one in use. Both need not fit into locked memory
// at once.
func TestASecretOfMoreThanHalfTheBudgetRotates(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	path := write(t, testenv.TempDir(t), "secret", "")
	var r *load.Rotating
	var secret []byte
	for size := budget(); ; size = size * 3 / 4 {
		secret = bytes.Repeat([]byte("x"), size)
		replace(t, path, string(secret))
		var err error
		r, err = load.NewRotating(t.Context(), parse(t, "file:"+path), load.RotatingConfig{Loader: l, PollOnly: true, Settle: time.Millisecond})
		if err == nil {
			break
		}
		if _, ok := errors.AsType[*enclave.LimitError](err); !ok || size < os.Getpagesize() {
			t.Fatal(err)
		}
	}
	t.Logf("%d bytes of %d", len(secret), budget())
	for version, change := range []int{0, 1, len(secret) / 2, len(secret)} {
		if change > 0 {
			secret[change-1] = 'y'
			replace(t, path, string(secret))
		}
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		has(t, r, string(secret))
		if s := r.Stats(); s.Version != uint64(version+1) || s.Failures != 0 {
			t.Errorf("byte %d: %+v", change, s)
		}
	}
	closed(t, r)
}
