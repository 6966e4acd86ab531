//go:build !linux

package harden

// LockAll has no means here.
func LockAll() error { return unsupported("locking memory when it is first touched") }
