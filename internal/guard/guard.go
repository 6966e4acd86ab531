//go:build !(goexperiment.runtimesecret && linux && (amd64 || arm64))

// Package guard runs callers' functions inside [runtime/secret], where a program
// is built with that.
package guard

// On says whether the program is built with runtime/secret.
const On = false

// Func returns fn: without runtime/secret there is nothing to put around it.
func Func[T any](fn func(T) error) func(T) error { return fn }
