//go:build darwin || openbsd

package page

import (
	"fmt"
	"syscall"
	"unsafe"
)

// minherit is minherit(2) through the system's C library: macOS promises no
// system call numbers, and OpenBSD takes system calls from its library alone.
// x/sys has no function for it; this is how it makes those that it has.
func minherit(b []byte, inherit uintptr) error {
	_, _, errno := libcCall(minheritTrampoline, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), inherit)
	if errno != 0 {
		return fmt.Errorf("minherit: %w", errno)
	}
	return nil
}

// minheritTrampoline is the address of a jump to the library's function.
var minheritTrampoline uintptr

//go:linkname libcCall syscall.syscall
func libcCall(fn, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)
