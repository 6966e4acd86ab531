//go:build !linux

package harden

import (
	"errors"
	"testing"
)

func TestMeasureThatIsMissingAsksForNoLimitToBeLifted(t *testing.T) {
	t.Parallel()
	err := LockAll(func() error { t.Error("it was asked for"); return errors.New("a limit stands") })
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
