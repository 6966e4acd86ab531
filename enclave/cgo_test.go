//go:build goexperiment.runtimesecret && cgo && linux && (amd64 || arm64)

package enclave_test

import (
	"os/user"
	"runtime"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
)

// In a program built with cgo, os/user asks C's library. Inside secret.Do that ends the
// process in Go 1.26 (golang/go#78999).
func TestFunctionsCallCOutsideOfSecretDo(t *testing.T) {
	t.Parallel()
	e := newEnclave(t, newSession(t, enclave.Config{}), secretOf(32))
	ask := func([]byte) error { _, err := user.LookupGroupId("0"); return err }
	if err := e.UseContext(enclave.WithoutRuntimeSecret(t.Context()), ask); err != nil {
		t.Error(err)
	}
	if strings.HasPrefix(runtime.Version(), "go1.26") {
		return
	}
	if err := e.Use(ask); err != nil {
		t.Errorf("inside secret.Do: %v", err)
	}
}
