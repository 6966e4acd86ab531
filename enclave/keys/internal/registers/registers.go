// Package registers clears the processor's registers.
//
// Go's copies go through vector registers, or on arm64 through pairs of general
// ones, which most code leaves alone. So what was copied stays there for long, and
// whenever the runtime preempts the goroutine or a signal arrives, all registers
// are saved to memory that nobody wipes.
//
// The upper halves of registers wider than 128 bits are left alone: Go's assembly
// that uses them ends with VZEROUPPER, which clears them.
package registers
