package locked

import (
	"time"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/percpu"
)

// A slot is a run of pages that one caller at a time has in hand. Idle, it is
// wiped and its view gives no access, but for a dual slot of Use, whose view
// shows the zeros.
//
//	            ┌──────── refused ────────┐
//	            │                         ▼
//	unmapped ─▶ in hand ◀──▶ idle       stuck
//	    ▲       │                         │
//	    └───────┴─────────────────────────┘
//
// It is in hand of the caller that maps it, or that unmaps it: an idle slot is
// taken in hand first. Stuck is one that the system did not take back: it serves
// nobody any more, and unmapping it is tried again. [store.move] makes every
// change.
type slot struct {
	run   *page.Run
	kind  kind
	state state // the store's mu protects it
	// paid says that its bytes are taken from the budget: those of every slot in
	// hand are, but for those that are kept for Use, and those of every stuck one.
	paid  bool
	from  share       // of a slot of Use, if it is not paid for
	place uint32      // of one: the stripe that it was found in
	armed bool        // the canary is in place
	shown page.Access // the access of the view
	// written says that the view was writable since the canary was put.
	written bool
	// exposed says that the view's access may be another: whoever has the whole
	// pages may have changed it.
	exposed bool

	back time.Duration // from the making of the pool until it was idle
	next *slot         // in a freeList

	_ [percpu.CacheLine]byte // each use writes to its slot
}

type state uint8

const (
	unmapped state = iota
	inHand
	idle
	stuck
	states // how many there are
)

// kind is what makes idle slots interchangeable. Slots of Use are never handed
// out as buffers: their views stay readable, so a slice that a function given to
// Use kept against its contract must not end up over a buffer.
type kind struct {
	pages int
	use   bool
	dual  bool // mapped twice, where the backend can
}

// A freeList is a queue of idle slots of one kind: the one that came back first is
// used first. The slots are its links, so that nothing is allocated.
type freeList struct {
	first, last *slot
	n           int
}

func (l *freeList) push(s *slot) {
	if l.last == nil {
		l.first = s
	} else {
		l.last.next = s
	}
	l.last = s
	l.n++
}

// pop returns the slot that came back first, or nil.
func (l *freeList) pop() *slot {
	s := l.first
	if s == nil {
		return nil
	}
	l.first, s.next = s.next, nil
	if l.first == nil {
		l.last = nil
	}
	l.n--
	return s
}
