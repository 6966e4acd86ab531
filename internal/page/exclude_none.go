//go:build aix || (solaris && !illumos)

package page

// exclude does nothing: the system has no such calls.
func exclude([]byte) error { return nil }
