package enclave_test

import (
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// Counting allocations takes the process for itself: these tests are not
// parallel. The race detector has allocations of its own.

func TestUseAllocatesNothing(t *testing.T) {
	e := newForAllocations(t)
	sum := 0
	got := testing.AllocsPerRun(1000, func() {
		if err := e.Use(func(secret []byte) error { sum += int(secret[0]); return nil }); err != nil {
			t.Error(err)
		}
	})
	if got != 0 && !testenv.Race {
		t.Errorf("%v allocations", got)
	}
}

func TestOpenAllocatesTheBufferAlone(t *testing.T) {
	e := newForAllocations(t)
	got := testing.AllocsPerRun(1000, func() {
		b, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	})
	want := 1.0
	if !testenv.Guarded() {
		want = 4 // no memory is used again: the slot, its run and its bytes are new as well
	}
	if got != want && !testenv.Race {
		t.Errorf("%v allocations, want %v", got, want)
	}
}

func newForAllocations(t *testing.T) *enclave.Enclave {
	t.Helper()
	testenv.Lockable(t, testenv.SmallLimit())
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit(), AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	e, err := s.NewRandom(32)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
