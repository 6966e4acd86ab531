//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package enclave_test

import (
	"runtime/secret"
	"testing"
)

func TestFunctionRunsInsideSecretDo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, use func(func([]byte) error) error) {
		inside := false
		err := use(func([]byte) error {
			inside = secret.Enabled()
			return nil
		})
		if err != nil || !inside {
			t.Errorf("%v, inside secret.Do: %v", err, inside)
		}
		if secret.Enabled() {
			t.Error("still inside secret.Do after the call")
		}
	})
}
