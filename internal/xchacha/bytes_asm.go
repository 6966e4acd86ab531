//go:build !purego && (amd64 || arm64)

package xchacha

import "unsafe"

// Assembly says whether Seal, Open, Copy and Equal are assembly here.
const Assembly = true

func copyBytes(dst, src []byte) { copyN(unsafe.SliceData(dst), unsafe.SliceData(src), len(src)) }

func copyBackwards(dst, src []byte) {
	copyBackN(unsafe.SliceData(dst), unsafe.SliceData(src), len(src))
}

// difference is zero if b begins with a. It tells nothing else of them.
func difference(a, b []byte) uint64 {
	return differ(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
}

//go:noescape
func copyN(dst, src *byte, n int)

//go:noescape
func copyBackN(dst, src *byte, n int)

// differ returns 0 if the n bytes are the same, and 1 if not.
//
//go:noescape
func differ(a, b *byte, n int) uint64
