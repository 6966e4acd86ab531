package enclave

import (
	"errors"
	"sync"
	"sync/atomic"
)

// An enclave names its session by a number: without pointers, a million enclaves
// give the garbage collector nothing to scan. The table maps numbers to sessions.
type table struct {
	places atomic.Pointer[[]atomic.Pointer[Session]] // replaced when it grows

	mu   sync.Mutex // protects what follows, and all writing
	next number     // the first place never used
	free []number   // places to reuse, oldest first
	last number     // the highest generation of a closed session's place
}

// A number names a session's key. Its low bits are the session's place in the table,
// the others a generation, which grows with each key that has the place. 0 is none.
type number uint32

const (
	placeBits = 16
	// maxSessions can be open at once. Each locks at least two pages, so the limit
	// on locked memory or on mappings (65,530 by default on Linux) comes first.
	maxSessions = 1 << placeBits
	// resting places stay unused before one is reused. So the table stays small, and
	// no number returns before 67 million sessions, or 65,535 purges of one.
	resting = 1 << 10
)

// errSessions reports that the table is full.
var errSessions = errors.New("enclave: too many sessions: 65,536 are open")

// add enters s and sets its number.
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

// remove removes s, if it is in the table.
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

// next returns the number of the same place that follows n. After the last one they
// start again: an enclave that old then gets ErrDecrypt instead of ErrPurged or
// ErrClosed.
func (n number) next() number {
	if again := n + maxSessions; again >= maxSessions {
		return again
	}
	return n%maxSessions + maxSessions
}

// gone reports whether n may be the number of a closed session.
func (t *table) gone(n number) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n%maxSessions < t.next && n >= maxSessions && n/maxSessions <= t.last
}

// had reports whether n, a number of the session's place, is or was its own.
func (s *Session) had(n number) bool {
	first, now := s.first, s.now()
	if now < first {
		// The numbers started again.
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
	// The session's numbers were set before it was stored.
	if s := (*places)[place].Load(); s != nil && s.had(n) {
		return s
	}
	return nil
}
