//go:build !linux

package locked_test

import (
	"errors"
	"testing"

	"github.com/memkeep/memkeep/locked"
)

func TestMeasureThatThePlatformLacksIsUnsupported(t *testing.T) {
	t.Parallel()
	taken, err := locked.Harden(locked.Hardening{LockAll: true})
	var failed *locked.HardenError
	if taken.LockAll || !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &failed) || failed.Measure != "LockAll" {
		t.Errorf("%+v, %v", taken, err)
	}
}
