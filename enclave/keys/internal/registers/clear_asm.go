//go:build amd64 || arm64

package registers

// Clear sets all vector registers to zero.
//
//go:noescape
func Clear()
