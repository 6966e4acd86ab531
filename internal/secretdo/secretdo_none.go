//go:build !(goexperiment.runtimesecret && linux && (amd64 || arm64))

// Package secretdo runs callers' functions inside [runtime/secret.Do], in programs
// that are built with runtime/secret.
package secretdo

// On reports whether the program is built with runtime/secret.
const On = false

// Func returns fn: without runtime/secret there is nothing to run it in.
func Func[T any](fn func(T) error) func(T) error { return fn }
