package dropin

import (
	"os"
	"syscall"
)

// All the signals that there are.
const one, two = syscall.SIGINT, syscall.SIGTERM

// preemption is no signal here.
var preemption os.Signal

// endedBy reports whether the signal did to the process what it does by default:
// Windows ends it with STATUS_CONTROL_C_EXIT, wine with 0. A child that waits for
// ever can do neither by itself.
func endedBy(state *os.ProcessState, _ os.Signal) bool {
	code := uint32(state.ExitCode())
	return code == 0xC000013A || code == 0
}
