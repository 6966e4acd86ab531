// Package registers clears the processor's vector registers.
//
// Go's copies go through vector registers, which most code leaves alone. So what
// was copied stays there for long, and whenever the runtime preempts the
// goroutine or a signal arrives, all registers are saved to memory that nobody
// wipes. The other registers are used by everything, and soon hold something
// else.
//
// The upper halves of registers wider than 128 bits are left alone: copies of
// less than 256 bytes don't use them, and what a hash function left there its
// next block overwrites.
package registers
