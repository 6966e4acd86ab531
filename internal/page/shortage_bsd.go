//go:build aix || darwin || freebsd || netbsd || openbsd || solaris

package page

import (
	"errors"
	"syscall"
)

// resourceOf says what ran out when a call failed, "" if nothing did. These
// systems do not tell the machine's memory from the process's share of it.
func resourceOf(failed *callError, _ int) Resource {
	if errors.Is(failed, syscall.ENOMEM) {
		return Memory
	}
	return ""
}
