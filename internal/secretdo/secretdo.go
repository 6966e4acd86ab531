//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

// Package secretdo runs callers' functions inside [runtime/secret.Do], in programs
// that are built with runtime/secret.
package secretdo

import "runtime/secret"

// On reports whether the program is built with runtime/secret.
const On = true

// Func returns a function that runs fn inside [secret.Do]. A panic of fn appears
// there as one of secret.Do, with the same value.
func Func[T any](fn func(T) error) func(T) error {
	return func(b T) (err error) {
		secret.Do(func() { err = fn(b) })
		return err
	}
}
