package load_test

import (
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// ownProcess runs the test in a process of its own, under the smallest limit,
// where the default session has no neighbours. It reports whether this is it.
func ownProcess(t *testing.T) bool {
	t.Helper()
	return testenv.UnderLimit(t, testenv.SmallLimit())
}
