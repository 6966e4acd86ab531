package enclave_test

import (
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestStatsShowBackendBudgetAndReason(t *testing.T) {
	t.Parallel()
	const budget = 256 << 10
	testenv.Lockable(t, budget)
	if got := statsAsAPool(t, budget); got.BudgetCut || got.Budget != budget {
		t.Errorf("%+v", got)
	}
}

// statsAsAPool returns what a new session says of its memory, which is what a
// pool with the same budget says.
func statsAsAPool(t *testing.T, budget int) enclave.Stats {
	t.Helper()
	pool, err := locked.NewPool(locked.Config{LockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	want := pool.Stats()
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Stats()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got.Backend != want.Backend || got.BackendReason != want.BackendReason ||
		got.Budget != want.Budget || got.BudgetCut != want.BudgetCut || want.Backend == "" {
		t.Errorf("the session says %+v, the pool %+v", got, want)
	}
	return got
}
