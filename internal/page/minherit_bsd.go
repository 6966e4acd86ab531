//go:build freebsd || netbsd

package page

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// minherit is minherit(2), by its number: these systems keep their numbers, and
// x/sys has no function for it.
func minherit(b []byte, inherit uintptr) error {
	_, _, errno := unix.Syscall(unix.SYS_MINHERIT, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), inherit)
	if errno != 0 {
		return fmt.Errorf("minherit: %w", errno)
	}
	return nil
}
