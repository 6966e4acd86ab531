package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NotDumpable forbids debuggers: ptrace(2), PT_DENY_ATTACH "allows a process
// that is not currently being traced to deny future traces by its parent … If
// the process is currently being traced, it will exit with the exit status of
// ENOTSUP". It does not keep cores from being written.
func NotDumpable() error {
	if err := unix.PtraceDenyAttach(); err != nil {
		return fmt.Errorf("ptrace of PT_DENY_ATTACH: %w", err)
	}
	return nil
}
