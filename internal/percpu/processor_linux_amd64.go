//go:build !purego

package percpu

// numbered reports whether processor can be called. Linux stores the processor's number
// where the instruction RDPID reads it. AMD's processors have it since Zen 2, Intel's
// servers since Ice Lake. It takes about a nanosecond, a [sync.Pool] about ten.
var numbered = hasRDPID()

func hasRDPID() bool

// processor returns the number of the processor that the caller runs on, or ran on a
// moment ago. If a hypervisor or an emulator does not set it, all have the same number.
func processor() uint32
