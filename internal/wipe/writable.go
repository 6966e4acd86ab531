package wipe

import (
	"os"
	"runtime/debug"
	"unsafe"
)

// Writable reports whether all of b is writable, so that [Bytes] doesn't fault. It
// rewrites one byte of each page; a fault becomes a panic, which it recovers.
func Writable(b []byte) (ok bool) {
	if len(b) == 0 {
		return true
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { ok = recover() == nil }()
	page := os.Getpagesize()
	first := page - int(uintptr(unsafe.Pointer(&b[0]))%uintptr(page)) // the offset of the next page
	rewrite(&b[0], 0)
	for i := first; i < len(b); i += page {
		rewrite(&b[i], 0)
	}
	return true
}

// rewrite writes *p unchanged if flip is 0, which the compiler must not know.
//
//go:noinline
func rewrite(p *byte, flip byte) { *p ^= flip }
