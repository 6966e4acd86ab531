//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package keys_test

// runtimeSecret says that Use runs its function inside runtime/secret.
const runtimeSecret = true
