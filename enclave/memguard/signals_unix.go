//go:build unix

package memguard

import "syscall"

// preemption is the signal that the Go runtime sends itself to interrupt a
// goroutine, many times a second.
const preemption = syscall.SIGURG
