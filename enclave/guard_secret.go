//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package enclave

import "runtime/secret"

// runtimeSecret is whether functions run inside runtime/secret.
const runtimeSecret = true

// guard returns fn such that it runs inside [secret.Do]. A panic of fn appears
// there as one of secret.Do, with the same value.
func guard[T any](fn func(T) error) func(T) error {
	return func(b T) (err error) {
		secret.Do(func() { err = fn(b) })
		return err
	}
}
