package enclave_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestStatsShowABudgetThatTheLimitCut(t *testing.T) {
	const limit = 64 << 10
	if !testenv.UnderLimit(t, limit) {
		return
	}
	if got := statsAsAPool(t, 1<<20); !got.LockedBytesCut || got.LockedBytesAllowed != limit {
		t.Errorf("%+v", got)
	}
}

func TestStatsShowWhyNoBetterBackendIsInUse(t *testing.T) {
	if !testenv.UnderSeccomp(t, testenv.MemfdSecret, unix.ENOSYS) {
		return
	}
	testenv.Lockable(t, 256<<10)
	got := statsAsAPool(t, 256<<10)
	if got.Backend != locked.Memfd || !strings.Contains(got.BackendReason, "memfd_secret: "+unix.ENOSYS.Error()) {
		t.Errorf("%s, because %q", got.Backend, got.BackendReason)
	}
}
