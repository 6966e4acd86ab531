package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// LockAll locks all memory that the process has and will have, each page when
// it is first touched: mlockall(2), MCL_ONFAULT "Mark all current … or future …
// mappings to lock pages when they are faulted in". Needs Linux 4.4.
//
// From then on every mapping counts whole towards the limit on locked memory,
// touched or not; under a limit the Go runtime, which reserves much, ends the
// program as soon as it can't map more. unlimited makes sure that there is none,
// or says why there is: then nothing is locked.
func LockAll(unlimited func() error) error {
	if err := unlimited(); err != nil {
		return err
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		return fmt.Errorf("mlockall: %w", err)
	}
	return nil
}
