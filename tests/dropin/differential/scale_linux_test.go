package differential

import (
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/tests/dropin/differential/ours"
	"github.com/memkeep/memkeep/tests/dropin/differential/theirs"
)

// What an unconfigured container lets a process lock, and a server in it.
const (
	limit   = 64 << 10
	secrets = 100_000
	workers = 32
)

func TestHundredThousandEnclavesUnderTheSmallestLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	if !testenv.UnderLimit(t, limit) {
		return
	}
	if err := ours.Load(secrets, workers); err != nil {
		t.Error(err)
	}
	if locked := testenv.LockedBytes(t); locked > limit {
		t.Errorf("%d bytes are locked", locked)
	}
}

// The control: the same program on memguard.
func TestMemguardDiesOfTheSameLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
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
