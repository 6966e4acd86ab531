//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !windows

package harden

// NoCoreDumps is not supported here.
func NoCoreDumps() error { return unsupported("keeping core dumps from being written") }
