//go:build !linux

package isolate

// withoutPreemption runs f: there is no way to keep the runtime's signals from a
// thread without cgo.
func withoutPreemption(kind Kind, f func() error) result { return anchored(kind, f) }
