package differential

import (
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/tests/dropin/differential/ours"
	"github.com/memkeep/memkeep/tests/dropin/differential/theirs"
)

// A server in an unconfigured container.
const (
	secrets = 100_000
	workers = 32
)

// limit is what it may lock.
var limit = testenv.SmallLimit()

func TestManyEnclavesUnderTheSmallestLimit(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	n := secrets
	if !testenv.Long() {
		n /= 20
	}
	if err := ours.Load(n, workers); err != nil {
		t.Error(err)
	}
	if locked := testenv.LockedBytes(t); locked > limit {
		t.Errorf("%d bytes are locked", locked)
	}
}

// The control: the same program on memguard.
func TestMemguardDiesOfTheSameLoad(t *testing.T) {
	if !testenv.Long() {
		t.Skip("SKIPPED: memguard is the same everywhere, MEMKEEP_LONG is not set")
	}
	if !testenv.UnderLimit(t, limit) {
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- theirs.Load(secrets, workers) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("memguard did it: this test proves nothing any more")
		}
		t.Logf("memguard failed: %v", err)
	// A hang has no other sign.
	case <-time.After(10 * time.Second):
		t.Log("memguard hangs")
	}
}
