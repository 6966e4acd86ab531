package api

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// Who compares while the token is replaced by an equal one is never refused.
func TestTokenIsWholeWhileItIsReplaced(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, testenv.SmallLimit())
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit() / 2})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var token Token
	set := func() {
		e, err := session.NewCopy([]byte("token"))
		if err != nil {
			t.Fatal(err)
		}
		token.Set(e)
	}
	set()
	var left atomic.Int64
	left.Store(4)
	var group sync.WaitGroup
	for range left.Load() {
		group.Go(func() {
			defer left.Add(-1)
			for range 15_000 {
				if same, err := token.equal([]byte("token")); err != nil || !same {
					t.Errorf("%v, %v", same, err)
					return
				}
			}
		})
	}
	for left.Load() > 0 {
		set()
	}
	group.Wait()
	if same, err := token.equal([]byte("other")); err != nil || same {
		t.Errorf("another token: %v, %v", same, err)
	}
}
