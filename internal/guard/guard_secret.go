//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

// Package guard runs callers' functions inside [runtime/secret], where a program
// is built with that.
package guard

import "runtime/secret"

// On says whether the program is built with runtime/secret.
const On = true

// Func returns fn such that it runs inside [secret.Do]. A panic of fn appears
// there as one of secret.Do, with the same value.
func Func[T any](fn func(T) error) func(T) error {
	return func(b T) (err error) {
		secret.Do(func() { err = fn(b) })
		return err
	}
}
