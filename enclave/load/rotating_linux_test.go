package load_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// watching returns a rotating secret that is not polled, and what tells of new
// versions.
func watching(t *testing.T, ref string) (*load.Rotating, chan load.RotatingStats) {
	t.Helper()
	told := make(chan load.RotatingStats, 1000)
	r := rotating(t, ref, load.RotatingConfig{Loader: newLoader(t), Interval: 24 * time.Hour, Settle: time.Millisecond,
		OnReload: func(s load.RotatingStats) { told <- s }})
	t.Cleanup(func() { closed(t, r) })
	if !r.Stats().Watched {
		t.Skip("SKIPPED: no inotify")
	}
	return r, told
}

// becomes waits for the version.
func becomes(t *testing.T, r *load.Rotating, told chan load.RotatingStats, want string) {
	t.Helper()
	tooLate := time.After(time.Minute)
	for {
		got, err := load.Get(r, func(secret []byte) (string, error) { return string(secret), nil })
		if err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
		select {
		case <-told:
		case <-tooLate:
			t.Fatalf("nothing tells of %s", want)
		}
	}
}

func TestAChangeIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("renamed", func(t *testing.T) {
		t.Parallel()
		path := write(t, testenv.TempDir(t), "secret", "0")
		r, told := watching(t, "file:"+path)
		for _, next := range []string{"1", "2", "3"} {
			replace(t, path, next)
			becomes(t, r, told, next)
		}
	})
	t.Run("written", func(t *testing.T) {
		t.Parallel()
		path := write(t, testenv.TempDir(t), "secret", "0")
		r, told := watching(t, "file:"+path)
		for _, next := range []string{"1", "22", "333"} {
			write(t, filepath.Dir(path), "secret", next)
			becomes(t, r, told, next)
		}
	})
	t.Run("removed and made again", func(t *testing.T) {
		t.Parallel()
		path := write(t, testenv.TempDir(t), "secret", "0")
		r, told := watching(t, "file:"+path)
		for _, next := range []string{"1", "2"} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Dir(path), "secret", next)
			becomes(t, r, told, next)
		}
	})
	t.Run("swapped as Kubernetes does", func(t *testing.T) {
		t.Parallel()
		dir := mount(t, "0")
		r, told := watching(t, "file:"+filepath.Join(dir, "password"))
		for _, next := range []string{"1", "2", "3", "4"} {
			swap(t, dir, next)
			becomes(t, r, told, "password "+next)
		}
	})
	t.Run("behind a link of one's own", func(t *testing.T) {
		t.Parallel()
		dir := mount(t, "0")
		link := filepath.Join(testenv.TempDir(t), "link")
		path := write(t, testenv.TempDir(t), "secret", "0")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		r, told := watching(t, "file:"+link)
		replace(t, path, "1")
		becomes(t, r, told, "1")
		// The link moves to a mount, which then changes.
		next := link + ".next"
		if err := errors.Join(os.Symlink(filepath.Join(dir, "user"), next), os.Rename(next, link)); err != nil {
			t.Fatal(err)
		}
		becomes(t, r, told, "user 0")
		swap(t, dir, "1")
		becomes(t, r, told, "user 1")
	})
	t.Run("made readable", func(t *testing.T) {
		t.Parallel()
		path := write(t, testenv.TempDir(t), "secret", "0")
		r, told := watching(t, "file:"+path)
		next := write(t, filepath.Dir(path), "next", "1")
		if err := errors.Join(os.Chmod(next, 0o644), os.Rename(next, path)); err != nil {
			t.Fatal(err)
		}
		if s := <-told; !errors.Is(s.LastError, load.ErrExposed) {
			t.Errorf("%+v", s)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		becomes(t, r, told, "1")
	})
}

// A link moves to another folder, and the file there is replaced while the source is
// about to be read. If it was read before the new folder is watched, nothing would
// tell of the replacement.
func TestAChangeBetweenTwoStepsOfAReloadIsNotMissed(t *testing.T) {
	t.Parallel()
	first, second := write(t, testenv.TempDir(t), "secret", "0"), write(t, testenv.TempDir(t), "secret", "1")
	link := filepath.Join(testenv.TempDir(t), "link")
	if err := os.Symlink(first, link); err != nil {
		t.Fatal(err)
	}
	told := make(chan load.RotatingStats, 1000)
	cfg := load.RotatingConfig{Loader: newLoader(t), Interval: 24 * time.Hour, Settle: -1,
		OnReload: func(s load.RotatingStats) { told <- s }}
	var once sync.Once
	cfg.SetBetween(func() { once.Do(func() { replace(t, second, "2") }) })
	r := rotating(t, "file:"+link, cfg)
	t.Cleanup(func() { closed(t, r) })
	if !r.Stats().Watched {
		t.Skip("SKIPPED: no inotify")
	}
	next := link + ".next"
	if err := errors.Join(os.Symlink(second, next), os.Rename(next, link)); err != nil {
		t.Fatal(err)
	}
	becomes(t, r, told, "2")
}

func TestNoGoroutineAndNoDescriptorIsLeftAfterClose(t *testing.T) {
	if !ownProcess(t) {
		return
	}
	goroutines := runtime.NumGoroutine()
	inotify := func() (n int) {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if path, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.Contains(path, "inotify") {
				n++
			}
		}
		return n
	}
	before := inotify()
	path := write(t, testenv.TempDir(t), "secret", content)
	for range 20 {
		r := rotating(t, "file:"+path, load.RotatingConfig{})
		has(t, r, content)
		closed(t, r)
		if _, err := load.NewRotating(t.Context(), parse(t, "file:"+path+".none"), load.RotatingConfig{}); err == nil {
			t.Error("no error")
		}
	}
	// A goroutine is counted for a moment after it has said that it ends.
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() != goroutines && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n != goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if n := inotify(); n != before {
		t.Errorf("%d inotify descriptors, %d before", n, before)
	}
}
