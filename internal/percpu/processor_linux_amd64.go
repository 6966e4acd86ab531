//go:build !purego

package percpu

// numbered says that processor is to be had: Linux keeps the processor's number where
// the instruction RDPID reads it, which all of AMD's have since Zen 2 and Intel's servers
// since Ice Lake. It takes about a nanosecond; a [sync.Pool] takes ten.
var numbered = hasRDPID()

func hasRDPID() bool

// processor returns the number of the processor that the caller runs on, or has just run
// on. Where a hypervisor or an emulator doesn't set it, all have the same.
func processor() uint32
