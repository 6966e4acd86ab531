package testenv

import (
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/internal/page"
)

// Guarded reports whether this system can take access from pages. Where it can't,
// nothing that a test does to memory faults.
func Guarded() bool {
	_, err := page.Open(page.Unlocked, nil)
	return err == nil
}

// MustGuard skips a test that is nothing without faults, where there are none.
func MustGuard(t *testing.T) {
	t.Helper()
	if !Guarded() {
		t.Skip("SKIPPED, NOTHING TESTED: no page has a protection here, and so nothing faults")
	}
}

// MustFault fails the test unless f faults: what says what f does. Where nothing faults
// it does not run f.
func MustFault(t *testing.T, what string, f func()) {
	t.Helper()
	if !Guarded() {
		t.Logf("SKIPPED in part: no page has a protection here, and so no fault: %s", what)
		return
	}
	if !Faults(f) {
		t.Errorf("%s: no fault", what)
	}
}

// FaultsHaveAddresses reports whether the runtime learns the address of a fault,
// so that it can turn it into a panic that tells it from a nil pointer's. Emulators
// of some processors (arm, ppc64le) say 0, or what lay there before; there a fault
// looks like one or the other.
var FaultsHaveAddresses = sync.OnceValue(func() bool {
	// No system maps the lowest 64 KiB, and the runtime takes the lowest 4 KiB
	// for a nil pointer's.
	for _, at := range []uintptr{16 << 10, 32 << 10} {
		r := panicOf(func() { Touch(unsafe.Slice((*byte)(unsafe.Add(nil, at)), 1)) })
		if fault, ok := r.(addressed); !ok || fault.Addr() != at {
			return false
		}
	}
	return true
})

// addressed is the runtime's panic at a fault whose address it knows.
type addressed interface{ Addr() uintptr }

// Faults runs f and reports whether it faulted. Unless FaultsHaveAddresses, a nil
// pointer's fault counts as well.
func Faults(f func()) bool {
	r := panicOf(f)
	if _, ok := r.(addressed); ok {
		return true
	}
	if err, ok := r.(runtime.Error); ok && !FaultsHaveAddresses() && strings.Contains(err.Error(), "invalid memory address") {
		return true
	}
	if r != nil {
		panic(r)
	}
	return false
}

// panicOf runs f, with faults as panics, and returns what it panics with.
func panicOf(f func()) (r any) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { r = recover() }()
	f()
	return nil
}

// Touch reads b's first byte so that the compiler keeps the read.
//
//go:noinline
func Touch(b []byte) byte { return b[0] }
