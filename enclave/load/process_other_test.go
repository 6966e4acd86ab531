//go:build !linux

package load_test

import (
	"testing"

	"github.com/memkeep/memkeep/locked"
)

// ownProcess runs the test here, where no limit is as tight as Linux's, unless no memory
// can be locked.
func ownProcess(t *testing.T) bool {
	t.Helper()
	if _, err := locked.CurrentLimits(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return true
}
