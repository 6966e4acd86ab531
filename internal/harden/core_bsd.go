//go:build darwin || freebsd || netbsd || openbsd

package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NoCoreDumps sets the soft and the hard core limit to zero: setrlimit(2),
// RLIMIT_CORE, "The largest size (in bytes) core file that may be created".
func NoCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setting RLIMIT_CORE to 0: %w", err)
	}
	return nil
}
