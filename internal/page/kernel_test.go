//go:build linux || windows

package page_test

import (
	"cmp"
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

// Every call of a backend fails, alone or with those that follow it. The first failure is
// reported with the name of the call, nothing stays mapped, locked or open once what was
// not taken back is unmapped, and the next try works.
func TestFailedCallLeavesNothingBehind(t *testing.T) {
	// Not parallel: it watches the whole process.
	conformanceInTurn(t, func(t *testing.T, b page.Backend, dual bool) {
		takeShare(t, b, dual, 1)
		failures := 0
		for _, burst := range []int{1, 2, 3, 8} {
			for n := 1; failNth(t, b.Name(), dual, n, burst); n++ {
				failures++
			}
		}
		if failures < 20 && b.Name() != page.Unguarded {
			t.Errorf("only %d calls were made to fail", failures)
		}
	})
}

// failNth runs a run's whole life with the nth call failing, and those of a burst with it,
// and reports whether there was an nth call.
func failNth(t *testing.T, name string, dual bool, n, burst int) bool {
	t.Helper()
	calls, failed := 0, ""
	hook := func(call string) error {
		if calls++; calls < n || calls >= n+burst {
			return nil
		}
		failed = cmp.Or(failed, call)
		return errInjected
	}
	locked, files := testenv.LockedBytes(t), len(testenv.SecretFiles(t))
	life := func(b page.Backend) error {
		r, err := b.Map(page.Size(), dual)
		if err == nil {
			err = b.Protect(r, page.Read)
		}
		for range burst + 1 { // until then the run is still ours
			if r == nil {
				break
			}
			unmapErr := b.Unmap(r)
			if unmapErr == nil {
				return err
			}
			err = errors.Join(err, unmapErr)
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
		calls = n + burst // the burst is over
		if err := life(b); err != nil {
			t.Errorf("call %d, %s, failed: the next try too: %v", n, failed, err)
		}
	}
	return true
}
