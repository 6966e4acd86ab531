//go:build !purego && (amd64 || arm64)

package xchacha

//go:noescape
func xor(dst, src *[KeySize]byte)
