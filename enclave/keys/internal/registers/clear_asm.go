//go:build amd64 || arm64

package registers

// Clear sets all vector registers to zero.
//
//go:noescape
func Clear()

// Size is the size of what Record writes.
const Size = 32 * 16

// Record writes all vector registers to dst, for tests.
//
//go:noescape
func Record(dst *[Size]byte)
