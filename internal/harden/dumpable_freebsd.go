//go:build amd64 || arm64 || riscv64

package harden

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Constants of sys/wait.h and sys/procctl.h, which x/sys does not name.
const (
	pPID                = 0 // P_PID
	procTraceCtl        = 7 // PROC_TRACE_CTL
	procTraceCtlDisable = 2 // PROC_TRACE_CTL_DISABLE
)

// NotDumpable forbids tracing and dumping: procctl(2), PROC_TRACE_CTL_DISABLE
// "Disable tracing for the specified process. Tracing is re-enabled when the
// process changes the executing program with the execve(2) syscall. A child
// inherits the trace settings from the parent on fork(2)".
//
// The identifier is 64 bits wide: on 32-bit systems it takes two arguments,
// which this does not know how to pass.
func NotDumpable() error {
	how := int32(procTraceCtlDisable)
	_, _, errno := unix.Syscall6(unix.SYS_PROCCTL, pPID, uintptr(os.Getpid()), procTraceCtl, uintptr(unsafe.Pointer(&how)), 0, 0)
	if errno != 0 {
		return fmt.Errorf("procctl of PROC_TRACE_CTL: %w", errno)
	}
	return nil
}
