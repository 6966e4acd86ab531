package page_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
)

// names returns the names of all backends, those that lock nothing too.
func names() []string { return append(page.Names(), page.Unlocked, page.Unguarded) }

// conformance runs f over every backend and kind of run that this system has.
func conformance(t *testing.T, f func(t *testing.T, b page.Backend, dual bool)) {
	t.Helper()
	for _, name := range names() {
		for _, dual := range []bool{true, false} {
			kind := map[bool]string{true: "dual", false: "single"}[dual]
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				b, err := page.Open(name, nil)
				if err != nil {
					t.Skipf("SKIPPED: this system has no %s: %v", name, err)
				}
				f(t, b, dual)
			})
		}
	}
}

// conformanceInTurn is conformance without parallel subtests.
func conformanceInTurn(t *testing.T, f func(t *testing.T, b page.Backend, dual bool)) {
	t.Helper()
	for _, name := range names() {
		for _, dual := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/dual=%v", name, dual), func(t *testing.T) {
				b, err := page.Open(name, nil)
				if err != nil {
					t.Skipf("SKIPPED: this system has no %s: %v", name, err)
				}
				f(t, b, dual)
			})
		}
	}
}

// takeShare takes the test's share of lockable memory for n pages.
func takeShare(t *testing.T, b page.Backend, dual bool, n int) {
	t.Helper()
	if page.Locks(b) {
		testenv.MustLock(t, b.Charge(n*page.Size(), dual))
	}
}

// mustFault is testenv.MustFault for pages of b.
func mustFault(t *testing.T, b page.Backend, what string, f func()) {
	t.Helper()
	if b.Name() == page.Unguarded {
		return // has neither guard pages nor protection
	}
	testenv.MustFault(t, what, f)
}

// mapRun returns a run of n pages that is unmapped when the test ends.
func mapRun(t *testing.T, b page.Backend, n int, dual bool) *page.Run {
	t.Helper()
	takeShare(t, b, dual, n)
	r, err := b.Map(n*page.Size(), dual)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Unmap(r); err != nil {
			t.Error(err)
		}
	})
	return r
}

func protect(t *testing.T, b page.Backend, r *page.Run, a page.Access) {
	t.Helper()
	if err := b.Protect(r, a); err != nil {
		t.Fatal(err)
	}
}

func TestFreshRunIsZeroAndOfTheSizeAsked(t *testing.T) {
	t.Parallel()
	conformance(t, func(t *testing.T, b page.Backend, dual bool) {
		r := mapRun(t, b, 3, dual)
		if len(r.Window) != 3*page.Size() || len(r.View) != 3*page.Size() {
			t.Fatalf("window of %d bytes, view of %d", len(r.Window), len(r.View))
		}
		if cap(r.Window) != len(r.Window) || cap(r.View) != len(r.View) {
			t.Error("a slice reaches past its pages")
		}
		if !bytes.Equal(r.Window, make([]byte, len(r.Window))) {
			t.Error("a fresh run is not zero")
		}
		if b.Name() != page.Unguarded && uintptr(unsafe.Pointer(&r.View[0]))%uintptr(page.Size()) != 0 {
			t.Error("the view does not start at a page")
		}
	})
}

func TestViewShowsWhatTheWindowHolds(t *testing.T) {
	t.Parallel()
	conformance(t, func(t *testing.T, b page.Backend, dual bool) {
		r := mapRun(t, b, 1, dual)
		copy(r.Window, "a secret")
		protect(t, b, r, page.Read)
		if string(r.View[:8]) != "a secret" {
			t.Errorf("the view shows %q", r.View[:8])
		}
		protect(t, b, r, page.ReadWrite)
		copy(r.View, "A SECRET")
		if string(r.Window[:8]) != "A SECRET" {
			t.Errorf("the window holds %q", r.Window[:8])
		}
		if r.Dual {
			protect(t, b, r, page.None)
			copy(r.Window, "a third!")
			protect(t, b, r, page.Read)
			if string(r.View[:8]) != "a third!" {
				t.Errorf("written while the view was closed, it shows %q", r.View[:8])
			}
		}
	})
}

func TestGuardPagesFaultOnBothSides(t *testing.T) {
	t.Parallel()
	conformance(t, func(t *testing.T, b page.Backend, dual bool) {
		if b.Name() == page.Unguarded {
			t.Skip("SKIPPED: what lies beside these pages is the Go heap's")
		}
		r := mapRun(t, b, 2, dual)
		protect(t, b, r, page.ReadWrite)
		for name, pages := range map[string][]byte{"view": r.View, "window": r.Window} {
			first := unsafe.Pointer(unsafe.SliceData(pages))
			before := unsafe.Slice((*byte)(unsafe.Add(first, -1)), 1)
			after := unsafe.Slice((*byte)(unsafe.Add(first, len(pages))), 1)
			farAfter := unsafe.Slice((*byte)(unsafe.Add(first, len(pages)+page.Size()-1)), 1)
			mustFault(t, b, "reading before the "+name, func() { testenv.Touch(before) })
			mustFault(t, b, "writing before the "+name, func() { before[0] = 1 })
			mustFault(t, b, "reading after the "+name, func() { testenv.Touch(after) })
			mustFault(t, b, "writing after the "+name, func() { after[0] = 1 })
			mustFault(t, b, "reading the end of the guard after the "+name, func() { testenv.Touch(farAfter) })
		}
	})
}

func TestViewHasTheAccessItWasGiven(t *testing.T) {
	t.Parallel()
	conformance(t, func(t *testing.T, b page.Backend, dual bool) {
		r := mapRun(t, b, 2, dual)
		last := r.View[len(r.View)-1:]
		for range 2 {
			protect(t, b, r, page.ReadWrite)
			r.View[0], last[0] = 1, 1
			protect(t, b, r, page.Read)
			testenv.Touch(last)
			mustFault(t, b, "writing to a read-only view", func() { r.View[0] = 2 })
			mustFault(t, b, "writing to a read-only view's end", func() { last[0] = 2 })
			protect(t, b, r, page.None)
			mustFault(t, b, "reading a closed view", func() { testenv.Touch(r.View) })
			mustFault(t, b, "reading a closed view's end", func() { testenv.Touch(last) })
		}
	})
}

func TestUnmappedRunFaults(t *testing.T) {
	// Not parallel: others may map something where the run was.
	conformanceInTurn(t, func(t *testing.T, b page.Backend, dual bool) {
		takeShare(t, b, dual, 1)
		r, err := b.Map(page.Size(), dual)
		if err != nil {
			t.Fatal(err)
		}
		window, view := r.Window, r.View
		if err := b.Unmap(r); err != nil {
			t.Fatal(err)
		}
		mustFault(t, b, "reading an unmapped view", func() { testenv.Touch(view) })
		mustFault(t, b, "reading an unmapped window", func() { testenv.Touch(window) })
	})
}

func TestNoBackendIsTheBestUnlessItLocks(t *testing.T) {
	t.Parallel()
	b, err := page.Open("", nil)
	if len(page.Names()) == 0 {
		if !errors.Is(err, page.ErrUnsupported) {
			t.Errorf("Open on a platform without backends: %v", err)
		}
	} else if err != nil || !page.Locks(b) {
		t.Errorf("the best backend is %v, %v", b, err)
	}
	for _, name := range page.Names() {
		if name == page.Unlocked || name == page.Unguarded {
			t.Errorf("%s is among the mechanisms to choose from", name)
		}
	}
}

func TestBackendThatDoesNotLockIsGuardedWhereItCanBe(t *testing.T) {
	t.Parallel()
	why := errors.New("a reason")
	b := page.OpenUnlocked(why)
	want := page.Unlocked
	if !testenv.Guarded() {
		want = page.Unguarded
	}
	if b.Name() != want || page.Locks(b) || !errors.Is(page.Missing(b), why) {
		t.Errorf("%s, locks %v, because of %v", b.Name(), page.Locks(b), page.Missing(b))
	}
}

func TestUnguardedPagesAreWipedAndDumpable(t *testing.T) {
	t.Parallel()
	b, err := page.Open(page.Unguarded, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Map(page.Size(), true)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Dumpable || r.Dual {
		t.Errorf("dumpable %v, dual %v", r.Dumpable, r.Dual)
	}
	copy(r.View, "a secret")
	if err := b.Unmap(r); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.View, make([]byte, len(r.View))) {
		t.Errorf("unmapped, it holds %q", r.View[:8])
	}
}

func TestUnknownBackendIsUnsupported(t *testing.T) {
	t.Parallel()
	if _, err := page.Open("core memory", nil); !errors.Is(err, page.ErrUnsupported) || len(page.Names()) > 0 && !strings.Contains(err.Error(), `no backend "core memory"`) {
		t.Errorf("got %v", err)
	}
}
