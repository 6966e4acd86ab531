package testenv

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// RoomForRuntime lets Go's runtime do without a new mapping until the test has ended, if
// it is short: the runtime ends the process if the system refuses it one. In a child,
// which has no test, t is nil.
func RoomForRuntime(t testing.TB) {
	rate, percent, procs := runtime.MemProfileRate, debug.SetGCPercent(-1), runtime.GOMAXPROCS(1)
	runtime.MemProfileRate = 0
	if t != nil {
		t.Cleanup(func() {
			runtime.MemProfileRate = rate
			debug.SetGCPercent(percent)
			runtime.GOMAXPROCS(procs)
		})
	}
	// The heap, of which a collection frees all again.
	grown := [][]byte{make([]byte, 32<<20)}
	for size := 8; size <= 32<<10; size += size / 4 {
		for range 256<<10/size + 1 {
			grown = append(grown, make([]byte, size))
		}
	}
	for _, b := range grown {
		for i := 0; i < len(b); i += os.Getpagesize() {
			b[i] = 1
		}
	}
	clear(grown)
	runtime.GC()
	// What the runtime never frees, such as its records of the heap's parts and of types, it
	// takes from a chunk of 256 KiB, one for each processor. Finalizers use up the one there
	// is, until the process has grown by the next.
	for size := addressSpace(); addressSpace() == size; {
		for range 256 {
			runtime.SetFinalizer(new([16]byte), func(*[16]byte) {})
		}
	}
}

// addressSpace returns how many pages the process has mapped, in decimal.
func addressSpace() string {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	size, _, _ := strings.Cut(string(statm), " ")
	return size
}
