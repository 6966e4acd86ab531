// Package wipe overwrites secrets.
package wipe

import "runtime"

// Bytes sets b to zero. The compiler may drop a store that nothing reads, so
// b is kept alive past it.
//
//go:noinline
func Bytes(b []byte) {
	clear(b)
	runtime.KeepAlive(b)
}
