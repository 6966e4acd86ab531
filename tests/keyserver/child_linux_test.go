package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
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

// settingsEnv says what else a child does to itself before it is a server, as who
// starts it would.
const settingsEnv = "KEYSERVER_TEST_SETTINGS"

// applySettings sets the core limit, to a number or to all that the hard limit
// allows, and lets a filter refuse a system call.
func applySettings(settings string) error {
	for setting := range strings.FieldsSeq(settings) {
		name, value, _ := strings.Cut(setting, "=")
		switch name {
		case "core":
			var r unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_CORE, &r); err != nil {
				return err
			}
			r.Cur = r.Max
			if value != "max" {
				n, err := strconv.ParseUint(value, 10, 64)
				if err != nil {
					return err
				}
				r = unix.Rlimit{Cur: n, Max: n}
			}
			if err := unix.Setrlimit(unix.RLIMIT_CORE, &r); err != nil {
				return fmt.Errorf("setting RLIMIT_CORE: %w", err)
			}
		case "filter":
			if err := testenv.RefuseCall(unix.SYS_PTRACE, unix.EPERM); err != nil {
				return err
			}
		default:
			return fmt.Errorf("what is the setting %q?", setting)
		}
	}
	return nil
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
