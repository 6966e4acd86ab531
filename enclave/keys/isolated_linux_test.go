package keys_test

import (
	"crypto"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A key is isolated from when it is opened. If it were opened before, a signal could
// save it with the registers, and it would stay there until the next sweep. All operations
// open their keys alike, and a MAC is short, so it is soon seen while it does.
func TestKeysAreOpenedIsolated(t *testing.T) {
	t.Parallel()
	m, err := in(t).NewMAC(crypto.SHA256, sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var done atomic.Bool
	group.Go(func() {
		for !done.Load() {
			if _, err := m.Sum(nil); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer group.Wait()
	defer done.Store(true)
	stacks := make([]byte, 4<<20)
	late := time.Now().Add(4 * time.Minute)
	for seen := false; !seen && !t.Failed(); runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatal("no operation was seen to open its key")
		}
		all := string(stacks[:runtime.Stack(stacks, true)])
		for stack := range strings.SplitSeq(all, "\n\n") {
			if !strings.Contains(stack, "keys.Session.use") || !strings.Contains(stack, "(*Enclave).OpenInto(") {
				continue
			}
			seen = true
			if !strings.Contains(stack, "/isolate.guarded(") {
				t.Fatalf("opened here:\n%s", stack)
			}
		}
	}
}
