package workload

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/locked"
)

// lowerLimit puts the process under the limit that its environment names, and
// starts it again, so that what packages lock when they are loaded is under it
// too. The second time it makes sure that the limit holds.
func lowerLimit() error {
	want := os.Getenv(EnvLimit)
	if want == "" {
		return nil
	}
	if bytes, ok := strings.CutPrefix(want, "under "); ok {
		limits, err := locked.CurrentLimits()
		if err != nil {
			return err
		}
		if limits.Exempt || strconv.FormatUint(limits.Hard, 10) != bytes {
			return fmt.Errorf("the limit is %d bytes, not %s; exempt: %v", limits.Hard, bytes, limits.Exempt)
		}
		return nil
	}
	bytes, err := strconv.ParseUint(want, 10, 64)
	if err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: bytes, Max: bytes}); err != nil {
		return err
	}
	if err := os.Setenv(EnvLimit, "under "+want); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}

// nobody's ids on every Linux.
const nobody = 65534

// Unprivileged returns what makes a child of this process subject to the
// limit: root holds CAP_IPC_LOCK, which no limit holds.
func Unprivileged() *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
