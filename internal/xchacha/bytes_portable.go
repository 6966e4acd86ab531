//go:build purego || !(amd64 || arm64)

package xchacha

// Assembly says whether Seal, Open, Copy and Equal are assembly here.
const Assembly = false

func copyBytes(dst, src []byte) {
	for i := range src {
		dst[i] = src[i]
	}
}

func copyBackwards(dst, src []byte) {
	for i := len(src) - 1; i >= 0; i-- {
		dst[i] = src[i]
	}
}

func difference(a, b []byte) uint64 {
	d := byte(0)
	for i := range a {
		d |= a[i] ^ b[i]
	}
	return uint64(d)
}
