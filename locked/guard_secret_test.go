//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package locked_test

import (
	"runtime/secret"
	"testing"

	"github.com/memkeep/memkeep/locked"
)

func TestBufferUseRunsInsideSecretDo(t *testing.T) {
	t.Parallel()
	b := newBuffer(t, newPool(t, locked.Config{}), 32)
	defer destroy(t, b)
	inside := false
	err := b.Use(func([]byte) error {
		inside = secret.Enabled()
		return nil
	})
	if err != nil || !inside {
		t.Errorf("%v, inside secret.Do: %v", err, inside)
	}
}
