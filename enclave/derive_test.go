package enclave_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// What fills a new secret holds a slot while it opens the one that it derives from.
func TestSecretsAreDerivedFromOthersWhileEverySlotIsInUse(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: testenv.SmallLimit()})
	master, err := s.New(noise(32))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const callers = 32
	var entered atomic.Int32
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			e, err := s.NewFuncContext(ctx, 32, func(dst []byte) error {
				entered.Add(1)
				for int(entered.Load())+s.Stats().Waiters < callers && ctx.Err() == nil {
					runtime.Gosched()
				}
				return master.UseContext(ctx, func(secret []byte) error {
					copy(dst, secret)
					return nil
				})
			})
			if err != nil {
				t.Error(err)
				return
			}
			if equal, err := e.Equal(noise(32)); !equal || err != nil {
				t.Errorf("another secret: %v", err)
			}
		})
	}
	wg.Wait()
}
