package enclave

import (
	"errors"
	"sync"
	"sync/atomic"
)

// An enclave names its session by a number, not by a pointer: without pointers
// in it, a million enclaves give the garbage collector nothing to follow. The
// table is where the number leads back to the session.
type table struct {
	places atomic.Pointer[[]atomic.Pointer[Session]] // replaced when it grows

	mu   sync.Mutex // protects what follows, and all writing
	next number     // of the place that was never given out
	free []number   // what to give out again, oldest first
	last number     // the most often that a place of a closed session was given out
}

// A number names a session's key for the time of the process: in its low bits the
// session's place in the table, above them how many keys had that place, of this
// session and earlier ones. 0 names none.
type number uint32

const (
	placeBits = 16
	// maxSessions are open at once. A session locks two pages at least, so the
	// limits on locked memory and on mappings (65,530 by default on Linux) are
	// met first, unless both were raised far.
	maxSessions = 1 << placeBits
	// resting places are left alone before one is given out again: so the table
	// stays small, and no number comes back before 67 million sessions were made,
	// or one was purged 65,535 times.
	resting = 1 << 10
)

// errSessions says that the table is full.
var errSessions = errors.New("enclave: too many sessions: 65,536 are open")

// add enters s, whose number is not set yet, and sets it.
func (t *table) add(s *Session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.next + maxSessions
	switch {
	case len(t.free) > resting || t.next == maxSessions && len(t.free) > 0:
		n, t.free = t.free[0], t.free[1:]
	case t.next < maxSessions:
		t.next++
	default:
		return errSessions
	}
	s.first = n
	s.number.Store(uint32(n))
	place := int(n % maxSessions)
	places := t.places.Load()
	if places == nil || place >= len(*places) {
		larger := make([]atomic.Pointer[Session], max(1, 2*place))
		if places != nil {
			for i := range *places {
				larger[i].Store((*places)[i].Load())
			}
		}
		places = &larger
	}
	(*places)[place].Store(s)
	t.places.Store(places)
	return nil
}

// remove takes s out, if it is in.
func (t *table) remove(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := s.now()
	if t.get(n) != s {
		return
	}
	(*t.places.Load())[n%maxSessions].Store(nil)
	t.last = max(t.last, n/maxSessions)
	t.free = append(t.free, n.next())
}

// next returns the number of the same place that follows n. When all of them were
// given out they begin again: an enclave of so long ago then gets ErrDecrypt, where
// it got ErrPurged or ErrClosed.
func (n number) next() number {
	if again := n + maxSessions; again >= maxSessions {
		return again
	}
	return n%maxSessions + maxSessions
}

// gone reports whether n may have been the number of a session that is closed now.
func (t *table) gone(n number) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n%maxSessions < t.next && n >= maxSessions && n/maxSessions <= t.last
}

// had reports whether n, of the session's place, is or was its number.
func (s *Session) had(n number) bool {
	first, now := s.first, s.now()
	if now < first {
		// They began again.
		return n >= first || n <= now
	}
	return n >= first && n <= now
}

// get returns the open session that has or had that number, or nil.
func (t *table) get(n number) *Session {
	places := t.places.Load()
	if places == nil {
		return nil
	}
	place := int(n % maxSessions)
	if place >= len(*places) {
		return nil
	}
	// Its numbers were set before it was stored.
	if s := (*places)[place].Load(); s != nil && s.had(n) {
		return s
	}
	return nil
}
