//go:build linux || windows

package page_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
)

// errInjected is what a call that is made to fail returns.
var errInjected = errors.New("injected")

func TestChargeIsWhatTheKernelCounts(t *testing.T) {
	// Not parallel: it watches the whole process.
	conformanceInTurn(t, func(t *testing.T, b page.Backend, dual bool) {
		before := testenv.LockedBytes(t)
		const pages = 2
		mapRun(t, b, pages, dual)
		want := 0
		if page.Locks(b) {
			want = b.Charge(pages*page.Size(), dual)
		}
		if got := testenv.LockedBytes(t) - before; got != want {
			t.Errorf("the kernel counts %d bytes, want %d", got, want)
		}
	})
}

func TestUnmapLeavesNothingBehind(t *testing.T) {
	// Not parallel: it watches the whole process.
	conformanceInTurn(t, func(t *testing.T, b page.Backend, dual bool) {
		takeShare(t, b, dual, 1)
		locked := testenv.LockedBytes(t)
		r, err := b.Map(page.Size(), dual)
		if err != nil {
			t.Fatal(err)
		}
		if files := testenv.SecretFiles(t); len(files) > 0 {
			t.Errorf("open while mapped: %v", files)
		}
		if err := b.Unmap(r); err != nil {
			t.Fatal(err)
		}
		if now := testenv.LockedBytes(t); now != locked {
			t.Errorf("%d bytes locked, %d before", now, locked)
		}
	})
}

// Every call of a backend fails once. Each failure is reported with the name of
// the call, nothing stays mapped, locked or open, and the next try works.
func TestFailedCallLeavesNothingBehind(t *testing.T) {
	// Not parallel: it watches the whole process.
	conformanceInTurn(t, func(t *testing.T, b page.Backend, dual bool) {
		takeShare(t, b, dual, 1)
		failures := 0
		for n := 1; ; n++ {
			if failed := failNth(t, b.Name(), dual, n); !failed {
				break
			}
			failures++
		}
		if failures < 5 && b.Name() != page.Unguarded {
			t.Errorf("only %d calls were made to fail", failures)
		}
	})
}

// failNth runs a run's whole life with the nth call failing, and reports whether
// there was an nth call.
func failNth(t *testing.T, name string, dual bool, n int) bool {
	t.Helper()
	calls, failed := 0, ""
	hook := func(call string) error {
		if calls++; calls == n {
			failed = call
			return errInjected
		}
		return nil
	}
	locked, files := testenv.LockedBytes(t), len(testenv.SecretFiles(t))
	life := func(b page.Backend) error {
		r, err := b.Map(page.Size(), dual)
		if err != nil {
			return err
		}
		err = b.Protect(r, page.Read)
		if failed := b.Unmap(r); failed != nil {
			// The run is still ours.
			err = errors.Join(err, failed, b.Unmap(r))
		}
		return err
	}
	b, err := page.Open(name, hook)
	if err == nil {
		err = life(b)
	}
	if failed == "" {
		if err != nil {
			t.Errorf("no call was made to fail: %v", err)
		}
		return false
	}
	if !errors.Is(err, errInjected) || !strings.Contains(strings.ToLower(err.Error()), failed) {
		t.Errorf("call %d, %s, failed: the error is %q", n, failed, err)
	}
	if now := testenv.LockedBytes(t); now != locked {
		t.Errorf("call %d, %s, failed: %d bytes locked, %d before", n, failed, now, locked)
	}
	if now := len(testenv.SecretFiles(t)); now != files {
		t.Errorf("call %d, %s, failed: %d files open, %d before", n, failed, now, files)
	}
	if b != nil {
		if err := life(b); err != nil {
			t.Errorf("call %d, %s, failed: the next try too: %v", n, failed, err)
		}
	}
	return true
}
