package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/testenv"
)

// nobody is the user and group without rights, by convention.
const nobody = 65534

// command is the test binary as a server. An unprivileged one has no
// CAP_IPC_LOCK, which would lift the limit on locked memory.
func command(_ testing.TB, unprivileged bool) *exec.Cmd {
	cmd := testenv.Reexec()
	if unprivileged && os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		}
	}
	return cmd
}

// applyMemlock lowers this process's limit, soft and hard.
func applyMemlock(value string) error {
	if value == "" {
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		return fmt.Errorf("lowering RLIMIT_MEMLOCK to %d: %w", n, err)
	}
	return nil
}
