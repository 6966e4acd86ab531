package enclave_test

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// A container's limit may be raised after the session was made, and buffers may take
// everything that is not kept for Use. If a slot is missing, Use gives up after 30 seconds.
func TestUseHasASlotForEachProcessorThatIsAddedLater(t *testing.T) {
	const limit = 1 << 20
	if !testenv.UnderLimit(t, limit) {
		return
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: limit})
	if err != nil {
		t.Fatal(err)
	}
	e := newEnclave(t, s, secretOf(32))
	for err == nil {
		_, err = e.Open() //memkeep:allow Close destroys it
	}
	if !errors.Is(err, enclave.ErrExhausted) {
		t.Fatal(err)
	}

	runtime.GOMAXPROCS(runtime.NumCPU())
	// An eighth of the budget at most is kept for Use.
	n := max(1, min(runtime.NumCPU(), limit/8/(2*os.Getpagesize())))
	var inside, done sync.WaitGroup
	inside.Add(n)
	for range n {
		done.Go(func() {
			arrive := sync.OnceFunc(inside.Done)
			if err := e.Use(func([]byte) error {
				arrive()
				inside.Wait()
				return nil
			}); err != nil {
				t.Error(err)
			}
			arrive() // after an error the others don't wait
		})
	}
	done.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
