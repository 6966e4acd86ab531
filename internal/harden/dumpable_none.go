//go:build !linux && !darwin && !(freebsd && (amd64 || arm64 || riscv64))

package harden

// NotDumpable has no means here.
func NotDumpable() error { return unsupported("forbidding others to trace the process") }
