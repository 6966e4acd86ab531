//go:build !(goexperiment.runtimesecret && linux && (amd64 || arm64))

package isolate

// run calls f: without runtime/secret there is nothing to put around it.
func run(f func() error) error { return f() }
