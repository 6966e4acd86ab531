package page

import (
	"fmt"
	"syscall"
	"unsafe"
)

// advised: illumos has no advice that keeps pages out of a core dump;
// coreadm(8) decides what a core holds.
var advised = Protection{Fork: "MC_INHERIT_ZERO"}

//go:cgo_import_dynamic libc_memcntl memcntl "libc.so"
//go:linkname procMemcntl libc_memcntl

var procMemcntl uintptr

// sysvicall6 is the runtime's way into libc, as x/sys uses it. It lies in
// assembly, which may jump to it.
func sysvicall6(trap, nargs, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno)

// mcInheritZero is MC_INHERIT_ZERO of sys/mman.h, "zero out regions on fork()".
// It is for private anonymous memory, which memcall's is.
const mcInheritZero = 8

// exclude: memcntl(2) with MC_INHERIT_ZERO, which takes neither attributes nor
// an argument.
func exclude(b []byte) error {
	_, _, errno := sysvicall6(uintptr(unsafe.Pointer(&procMemcntl)), 6,
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), mcInheritZero, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("memcntl: %w", errno)
	}
	return nil
}
