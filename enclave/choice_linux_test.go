package enclave_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestStatsShowABudgetThatTheLimitCut(t *testing.T) {
	limit := testenv.SmallLimit()
	if !testenv.UnderLimit(t, limit) {
		return
	}
	if got := statsAsAPool(t, 16*limit); !got.BudgetCut || got.Budget != limit {
		t.Errorf("%+v", got)
	}
}

func TestStatsShowWhyNoBetterBackendIsInUse(t *testing.T) {
	if !testenv.UnderSeccomp(t, testenv.MemfdSecret, unix.ENOSYS) {
		return
	}
	testenv.MustLock(t, 4*testenv.SmallLimit())
	got := statsAsAPool(t, 4*testenv.SmallLimit())
	if got.Backend != locked.Memfd || !strings.Contains(got.BackendReason, "memfd_secret: "+unix.ENOSYS.Error()) {
		t.Errorf("%s, because %q", got.Backend, got.BackendReason)
	}
}
