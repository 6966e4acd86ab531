package testenv

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// Raise does to a process what makes Go's runtime see a signal there: a console
// event, CTRL_BREAK for os.Interrupt and CTRL_CLOSE for SIGTERM. Windows sends
// those to all that share a console; a thread on the function that it would start
// in each of them reaches one process, with a console or without.
func Raise(pid int, s os.Signal) error {
	event, ok := map[os.Signal]uintptr{os.Interrupt: windows.CTRL_BREAK_EVENT, syscall.SIGTERM: windows.CTRL_CLOSE_EVENT}[s]
	if !ok {
		return fmt.Errorf("no console event is %v", s)
	}
	// System libraries are at the same address in every process.
	handler := windows.NewLazySystemDLL("kernelbase.dll").NewProc("CtrlRoutine")
	if err := handler.Find(); err != nil {
		return err
	}
	const rights = windows.PROCESS_CREATE_THREAD | windows.PROCESS_VM_OPERATION | windows.PROCESS_VM_READ |
		windows.PROCESS_VM_WRITE | windows.PROCESS_QUERY_INFORMATION
	process, err := windows.OpenProcess(rights, false, uint32(pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(process)
	thread, _, err := windows.NewLazySystemDLL("kernel32.dll").NewProc("CreateRemoteThread").
		Call(uintptr(process), 0, 0, handler.Addr(), event, 0, 0)
	if thread == 0 {
		return fmt.Errorf("CreateRemoteThread: %w", err)
	}
	return windows.CloseHandle(windows.Handle(thread))
}
