//go:build !purego

package percpu

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// Processors that were taken for one another would write to each other's cache lines.
func TestProcessorsNumberIsTheKernels(t *testing.T) {
	t.Parallel()
	if !numbered {
		t.Skip("SKIPPED, NOTHING TESTED: this processor has no RDPID")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	kernels := func() (number uint32) {
		const getcpu = 309
		if _, _, errno := syscall.RawSyscall(getcpu, uintptr(unsafe.Pointer(&number)), 0, 0); errno != 0 {
			t.Fatal("getcpu:", errno)
		}
		return number
	}
	for range 1000 {
		before, number, after := kernels(), processor(), kernels()
		if before == after && number != before {
			t.Fatalf("processor %d has the number %d", before, number)
		}
	}
}
