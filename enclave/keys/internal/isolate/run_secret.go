//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package isolate

import "runtime/secret"

// run calls f inside [secret.Do].
func run(f func() error) (err error) {
	secret.Do(func() { err = f() })
	return err
}
