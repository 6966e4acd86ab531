//go:build darwin || openbsd

package random

import (
	"syscall"
	"unsafe"
)

// read is arc4random_buf(3), from the system's C library: macOS promises no
// system call numbers, and OpenBSD takes system calls from its library alone.
// getentropy(2), which both have, is no public function to Apple's App Store.
// "The subsystem is re-seeded from the kernel random number subsystem on a
// regular basis, and also upon fork(2)." It never fails. The library's generator
// runs in the process; OpenBSD's keeps its state where no core dump has it, and
// clears what it gave out.
func read(b []byte) error {
	_, _, _ = libcCall(arc4randomTrampoline, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0)
	return nil
}

// arc4randomTrampoline is the address of a jump to the library's function.
var arc4randomTrampoline uintptr

//go:linkname libcCall syscall.syscall
func libcCall(fn, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)
