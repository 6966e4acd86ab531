//go:build !purego

package percpu

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Processors that were taken for one another would write to each other's cache lines.
func TestEachProcessorHasItsOwnNumber(t *testing.T) {
	t.Parallel()
	if !numbered {
		t.Skip("SKIPPED, NOTHING TESTED: this processor has no RDPID")
	}
	runtime.LockOSThread() // for good: the thread, which stays on one processor, ends with the test
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	if allowed.Count() < 2 {
		t.Skip("SKIPPED, NOTHING TESTED: the process may run on one processor alone")
	}
	for i := range 64 * len(allowed) {
		if !allowed.IsSet(i) {
			continue
		}
		var one unix.CPUSet
		one.Set(i)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		if number := processor(); number != uint32(i) {
			t.Errorf("processor %d has the number %d", i, number)
		}
	}
}
