//go:build !(goexperiment.runtimesecret && linux && (amd64 || arm64))

package enclave

// runtimeSecret is whether functions run inside runtime/secret.
const runtimeSecret = false

// guard returns fn: without runtime/secret there is nothing to put around it.
func guard[T any](fn func(T) error) func(T) error { return fn }
