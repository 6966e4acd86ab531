//go:build unix

package dropin

import (
	"os"
	"syscall"
)

// Two signals that nothing else sends.
const one, two = syscall.SIGUSR1, syscall.SIGUSR2

// preemption is what the Go runtime sends itself.
var preemption os.Signal = syscall.SIGURG

// endedBy reports whether the signal did to the process what it does by default.
func endedBy(state *os.ProcessState, s syscall.Signal) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == s
}
