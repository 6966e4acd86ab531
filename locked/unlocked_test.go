package locked_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/memkeep/memkeep/locked"
)

// The budget is that of one buffer: any memory that is used again is another's.
func TestStaleSliceInOrdinaryMemoryNeverReachesAnotherBuffer(t *testing.T) {
	t.Parallel()
	p := openPool(t, locked.Config{Backend: locked.Unguarded, AllowUnlocked: true, LockedBytes: os.Getpagesize()})
	secret := []byte("a secret that is nobody else's")
	var stale [][]byte
	for i := range 40 {
		b := newBuffer(t, p, len(secret))
		copy(b.Bytes(), secret)
		for _, s := range stale {
			if !bytes.Equal(s, make([]byte, len(s))) {
				t.Fatalf("a stale slice reads %q", s)
			}
			copy(s, "something else")
		}
		if !bytes.Equal(b.Bytes(), secret) {
			t.Fatalf("through a stale slice, the buffer became %q", b.Bytes())
		}
		for _, s := range stale {
			clear(s)
		}
		stale = append(stale, b.Bytes())
		if i%2 == 0 {
			destroy(t, b)
		} else if err := p.Purge(); err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.LockedBytes != 0 {
			t.Errorf("%+v", s)
		}
	}
}
