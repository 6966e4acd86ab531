//go:build !linux && !darwin && !(freebsd && (amd64 || arm64 || riscv64))

package harden

// NotDumpable is not supported here.
func NotDumpable() error { return unsupported("forbidding others to trace the process") }
