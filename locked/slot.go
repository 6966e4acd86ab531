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
//	unmapped ──▶ in hand ◀──▶ idle
//	    ▲           │           │
//	    ├───────────┴───────────┤
//	    │                       ▼
//	    └──────────────────── stuck
//
// Stuck is one that the system did not take back: it serves nobody any more, and
// unmapping it is tried again. What is in hand or stuck is taken from the budget.
// [store.move] makes every change.
type slot struct {
	run   *page.Run // nil until it is mapped
	kind  kind
	state state       // the store's mu protects it
	place uint32      // the stripe that it was found in
	armed bool        // the canary is in place
	shown page.Access // the access of the view
	// written says that the view was writable since the canary was put.
	written bool
	// exposed says that the view's access may be another: whoever has the whole
	// pages may have changed it.
	exposed bool
	back    time.Time // when it was idle last

	_ [percpu.CacheLine]byte // each use writes to its slot
}

type state uint8

const (
	unmapped state = iota
	inHand         // of a caller, or among the stripes
	idle
	stuck
	states // how many there are
)

// kind is what makes idle slots interchangeable.
type kind struct {
	role  role
	pages int
	part  part
	dual  bool // mapped twice, where the backend can
}

// role is what a slot is for. One of Use never becomes a buffer: its view stays
// readable, so a slice that a function given to Use kept against its contract must
// not end up over a buffer. A region is always mapped anew, for the same reason.
type role uint8

const (
	forBuffer role = iota
	forUse
	forRegion
)
