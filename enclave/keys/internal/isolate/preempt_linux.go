package isolate

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutPreemption runs f on a thread that SIGURG does not reach, with which the
// runtime preempts a goroutine wherever it stands. Doing so, it saves the vector
// registers to memory of its own, where they stay until the next time. Function
// calls still let the goroutine be preempted, and there the registers are saved by
// nobody; so collections wait no longer than for code without loops.
//
// rt_sigprocmask(2): "the set of blocked signals is the union of the current set
// and the set argument". A signal that comes meanwhile arrives afterwards.
func withoutPreemption(kind Kind, f func() error) result {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var urgent, before unix.Sigset_t
	const bits = 8 * unsafe.Sizeof(urgent.Val[0])
	const at = uintptr(syscall.SIGURG) - 1
	urgent.Val[at/bits] = 1 << (at % bits)
	// Where a filter of system calls refuses, the registers may be saved.
	if unix.PthreadSigmask(unix.SIG_BLOCK, &urgent, &before) == nil {
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	}
	return anchored(kind, f)
}
