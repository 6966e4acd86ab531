//go:build !linux

package load_test

import (
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// ownProcess takes the lockable memory that the default session may need.
func ownProcess(t *testing.T) bool {
	t.Helper()
	testenv.Lockable(t, testenv.SmallLimit())
	return true
}
