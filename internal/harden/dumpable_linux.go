package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NotDumpable sets the process's dumpable attribute to zero: prctl(2),
// "Processes that are not dumpable can not be attached via ptrace(2)
// PTRACE_ATTACH", and leave no core. It holds until the process executes
// another program; a change of its user or group sets the attribute to
// /proc/sys/fs/suid_dumpable, which is 0 unless somebody changed it.
func NotDumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl of PR_SET_DUMPABLE: %w", err)
	}
	return nil
}
