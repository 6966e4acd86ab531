//go:build !linux

package harden

// LockAll has no means here. It asks for no limit to be lifted: that would not
// help.
func LockAll(func() error) error { return unsupported("locking memory when it is first touched") }
