//go:build !linux

package harden

// LockAll is not supported here. It does not call unlimited, which would not help.
func LockAll(func() error) error { return unsupported("locking memory when it is first touched") }
