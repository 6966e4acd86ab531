package forensics

import (
	"strings"
	"sync/atomic"
	"testing"
)

// The frame that a signal left while it interrupted the cipher stays for as
// long as no other signal comes, and is gone after one re-randomisation.
func TestSignalFramesAreGoneAfterOneRekey(t *testing.T) {
	t.Parallel()
	need(t, "")
	s := start(t, "frames", "", "GODEBUG=asyncpreemptoff=1")
	s.expect("loaded")
	caught := false
	for range 2000 {
		s.provoke()
		s.freezeHandled()
		v := s.search(s.all())
		if v.leaks() > 0 {
			t.Fatalf("in ordinary memory: %s\n%s", describe(v.outside), strings.Join(v.where, "\n"))
		}
		if caught = framed(v) > 0; caught {
			break
		}
		s.thaw()
	}
	if !caught {
		t.Fatal("no signal landed in the cipher in 2000 tries")
	}
	atomic.StoreUint64(&s.board.stop, 1)
	s.thaw()
	s.expect("stopped")
	s.freezeHandled()
	v := s.search(s.all())
	before := framed(v)
	if before == 0 {
		t.Error("the frame is gone before the refresh: that it is gone after it proves nothing")
	}
	s.thaw()
	s.tell("refresh")
	s.expect("rekeyed")
	s.freezeHandled()
	after := s.search(s.all())
	if framed(after)+after.leaks() > 0 {
		t.Errorf("after a refresh: %s in frames, %s elsewhere", describe(after.inFrames), describe(after.outside))
	}
	s.thaw()
	t.Logf("%s in frames before, %s after", describe(v.inFrames), describe(after.inFrames))
}

func framed(v verdict) int {
	n := 0
	for _, count := range v.inFrames {
		n += count
	}
	return n
}
