//go:build !linux && !freebsd

package sigframe

// Overwrite does nothing: there is no way to signal one thread.
func Overwrite() error { return nil }

// OverwriteOwn does nothing: there is no way to signal one thread.
func OverwriteOwn() error { return nil }
