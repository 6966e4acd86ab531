//go:build amd64 || arm64

package registers

// Clear sets the registers that a call may change to zero: the vector registers, and
// the general ones.
//
//go:noescape
func Clear()

// Size is the size of what Record writes.
const Size = 32*16 + 32*8

// Record writes these registers to dst, for tests.
//
//go:noescape
func Record(dst *[Size]byte)
