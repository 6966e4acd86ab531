package sigframe

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"
)

// overwriteAll sends the signal to every thread of the process. It does not wait
// until all have handled it.
//
// thr_kill(2): "If the value of the id argument is -1, the signal is sent to
// all threads in the current process except the calling thread".
func overwriteAll() error {
	err := send(-1)
	if errors.Is(err, syscall.ESRCH) { // there is no other one
		err = nil
	}
	return errors.Join(err, SweepThread())
}

// SweepThread sends the signal to the calling thread alone, which has handled
// it when this returns. The caller has locked its goroutine to the thread.
func SweepThread() error {
	var self int
	if _, _, errno := syscall.RawSyscall(syscall.SYS_THR_SELF, uintptr(unsafe.Pointer(&self)), 0, 0); errno != 0 {
		return fmt.Errorf("sigframe: thr_self: %w", errno)
	}
	return send(self)
}

func send(id int) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_THR_KILL, uintptr(id), uintptr(syscall.SIGURG), 0); errno != 0 {
		return fmt.Errorf("sigframe: thr_kill: %w", errno)
	}
	return nil
}
