//go:build unix

package testenv

import (
	"os"
	"syscall"
)

// Raise sends a signal to a process.
func Raise(pid int, s os.Signal) error { return syscall.Kill(pid, s.(syscall.Signal)) }
