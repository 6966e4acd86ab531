//go:build linux || freebsd || dragonfly

package random

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// most is the number of bytes that one system call is asked for.
const most = 1 << 20

// read is getrandom(2), the system call and not the vDSO's function. "If the
// urandom source has been initialized, reads of up to 256 bytes will always
// return as many bytes as requested and will not be interrupted by signals. No
// such guarantees apply for larger buffer sizes." Before that it blocks, and
// "EINTR: The call was interrupted by a signal handler".
func read(b []byte) error {
	for len(b) > 0 {
		size := min(len(b), most)
		n, _, errno := unix.Syscall(unix.SYS_GETRANDOM, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(size), 0)
		switch {
		case errno == unix.EINTR:
		case errno == unix.ENOSYS: // Linux before 3.17
			return readDevice(b)
		case errno != 0:
			return errno
		case n == 0 || n > uintptr(size):
			return errors.New("getrandom: wrong count")
		default:
			b = b[n:]
		}
	}
	return nil
}
