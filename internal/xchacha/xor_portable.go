//go:build purego || !(amd64 || arm64)

package xchacha

func xor(dst, src *[KeySize]byte) {
	for i := range dst {
		dst[i] ^= src[i]
	}
}
