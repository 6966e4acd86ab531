package page_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
)

// conformance runs f over every backend and kind of run that this system has.
func conformance(t *testing.T, f func(t *testing.T, b page.Backend, dual bool)) {
	t.Helper()
	if len(page.Names()) == 0 {
		if _, err := page.Open("", nil); !errors.Is(err, page.ErrUnsupported) {
			t.Fatalf("Open on a platform without backends: %v", err)
		}
		return
	}
	for _, name := range page.Names() {
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
	for _, name := range page.Names() {
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

// mapRun returns a run of n pages that is unmapped when the test ends.
func mapRun(t *testing.T, b page.Backend, n int, dual bool) *page.Run {
	t.Helper()
	testenv.Lockable(t, b.Charge(n*page.Size(), dual))
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
		if uintptr(unsafe.Pointer(&r.View[0]))%uintptr(page.Size()) != 0 {
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
		r := mapRun(t, b, 2, dual)
		protect(t, b, r, page.ReadWrite)
		for name, pages := range map[string][]byte{"view": r.View, "window": r.Window} {
			first := unsafe.Pointer(unsafe.SliceData(pages))
			before := unsafe.Slice((*byte)(unsafe.Add(first, -1)), 1)
			after := unsafe.Slice((*byte)(unsafe.Add(first, len(pages))), 1)
			farAfter := unsafe.Slice((*byte)(unsafe.Add(first, len(pages)+page.Size()-1)), 1)
			testenv.MustFault(t, "reading before the "+name, func() { testenv.Touch(before) })
			testenv.MustFault(t, "writing before the "+name, func() { before[0] = 1 })
			testenv.MustFault(t, "reading after the "+name, func() { testenv.Touch(after) })
			testenv.MustFault(t, "writing after the "+name, func() { after[0] = 1 })
			testenv.MustFault(t, "reading the end of the guard after the "+name, func() { testenv.Touch(farAfter) })
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
			testenv.MustFault(t, "writing to a read-only view", func() { r.View[0] = 2 })
			testenv.MustFault(t, "writing to a read-only view's end", func() { last[0] = 2 })
			protect(t, b, r, page.None)
			testenv.MustFault(t, "reading a closed view", func() { testenv.Touch(r.View) })
			testenv.MustFault(t, "reading a closed view's end", func() { testenv.Touch(last) })
		}
	})
}

func TestUnmappedRunFaults(t *testing.T) {
	// Not parallel: others may map something where the run was.
	conformanceInTurn(t, func(t *testing.T, b page.Backend, dual bool) {
		testenv.Lockable(t, b.Charge(page.Size(), dual))
		r, err := b.Map(page.Size(), dual)
		if err != nil {
			t.Fatal(err)
		}
		window, view := r.Window, r.View
		if err := b.Unmap(r); err != nil {
			t.Fatal(err)
		}
		testenv.MustFault(t, "reading an unmapped view", func() { testenv.Touch(view) })
		testenv.MustFault(t, "reading an unmapped window", func() { testenv.Touch(window) })
	})
}

func TestUnknownBackendIsUnsupported(t *testing.T) {
	t.Parallel()
	if _, err := page.Open("core memory", nil); !errors.Is(err, page.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
