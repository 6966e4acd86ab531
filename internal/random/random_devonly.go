//go:build aix || solaris || illumos

package random

func read(b []byte) error { return readDevice(b) }
