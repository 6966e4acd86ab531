//go:build !linux && !freebsd

package sigframe

// overwriteAll does nothing: there is no way to signal one thread.
func overwriteAll() error { return nil }

// SweepThread does nothing: there is no way to signal one thread.
func SweepThread() error { return nil }
