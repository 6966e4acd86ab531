//go:build amd64 || arm64

package isolate

// bounds returns where the goroutine's stack lies, or something else in a release
// of Go whose goroutines don't begin with that: anchored has to make sure.
//
//go:noescape
func bounds() (low, high uintptr)
