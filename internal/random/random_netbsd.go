package random

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// read is the sysctl kern.arandom: "Returns independent uniformly distributed
// bytes at random each time, as many as requested up to 256, derived from the
// system entropy pool", sysctl(7).
func read(b []byte) error {
	arandom := [2]int32{1, 81} // CTL_KERN, KERN_ARND
	for len(b) > 0 {
		size := uintptr(min(len(b), 256))
		n := size
		_, _, errno := unix.Syscall6(unix.SYS___SYSCTL, uintptr(unsafe.Pointer(&arandom[0])), uintptr(len(arandom)),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(&n)), 0, 0)
		if errno != 0 {
			return errno
		}
		if n != size {
			return errors.New("sysctl kern.arandom: wrong count")
		}
		b = b[n:]
	}
	return nil
}
