//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !windows

package harden

// NoCoreDumps has no means here.
func NoCoreDumps() error { return unsupported("keeping core dumps from being written") }
