package locked

import (
	"errors"
	"fmt"
	"time"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/percpu"
)

// A slot is a run of pages that one caller at a time has in hand. Idle, it is
// wiped and its view gives no access, but for a dual use slot, whose view
// shows the zeros.
type slot struct {
	run   *page.Run
	kind  slotKind
	spare bool        // kept for nested calls
	place int         // of a use slot: the stripe that it was found in, or would be looked for first
	armed bool        // the canary is in place
	shown page.Access // the access of the view
	stuck bool        // could not be unmapped
	// written says that the view was writable since the canary was put.
	written bool
	// exposed says that the view's access may be another: whoever has the whole
	// pages may have changed it.
	exposed bool

	used bool          // since the sweeper last looked
	back time.Duration // from the making of the pool until it came back
	next *slot         // in a freeList

	_ [percpu.CacheLine]byte // each use writes to its slot
}

// slotKind is what makes idle slots interchangeable. Use slots are never handed
// out as buffers: their views stay readable, so a slice that a function given
// to Use kept against its contract must not end up over a buffer.
type slotKind struct {
	pages int
	use   bool
}

// small reports whether the kind is that of the slots that are kept for Use.
func (k slotKind) small() bool { return k.use && k.pages == 1 }

// smallUse is the only small kind.
var smallUse = slotKind{pages: 1, use: true}

// A request is what a caller wants of the pool.
type request struct {
	slotKind
	depth int // slots that the caller already holds through Use
}

// rotation is how many idle slots of a kind there are before one is used
// again, budget permitting. With the oldest used first, a slice kept past
// Destroy faults for at least that many buffers more.
const rotation = 8

// errFull says that a request has to wait for a slot to come back.
var errFull = errors.New("locked: internal: full")

// dual reports whether slots of kind k are mapped twice. Large ones are not
// where that would cost a good part of the budget.
func (p *Pool) dual(k slotKind) bool {
	if k.pages > 1 && p.backend.Charge(k.pages*p.pageSize, true) > p.budget/8 {
		return p.freeDual()
	}
	if k.use {
		return p.dualUse
	}
	return p.dualBuffers
}

// freeDual reports whether the second mapping counts nothing.
func (p *Pool) freeDual() bool { return p.backend.Charge(1, true) == p.backend.Charge(1, false) }

// charge is what a slot of kind k counts towards the budget.
func (p *Pool) charge(k slotKind) int {
	return p.backend.Charge(k.pages*p.pageSize, p.dual(k))
}

// kept is the part of the budget that r may not touch: use slots that are
// promised and not mapped yet. The caller holds mu.
func (p *Pool) kept(r request) int {
	slots := 0
	if p.hasSpare && !p.spareMade {
		slots++
	}
	if !r.small() {
		slots += max(0, p.reserve-p.small)
	}
	return slots * p.charge(smallUse)
}

// keptAtMost is the most that kept can ever return for r: what no eviction can
// make room from.
func (p *Pool) keptAtMost(r request) int {
	slots := 0
	if p.hasSpare {
		slots++
	}
	if !r.small() {
		slots += p.reserve
	}
	return slots * p.charge(smallUse)
}

// fits reports whether the budget could ever hold a slot for r, beside the
// regions. The caller holds mu.
func (p *Pool) fits(r request) bool {
	return p.regions+p.charge(r.slotKind)+p.keptAtMost(r) <= p.budget
}

// takeNow returns a slot for r: an idle one, or a fresh one if the budget has
// room or can make it. It returns errFull if neither. The caller holds mu, and
// r is the first in its queue.
func (p *Pool) takeNow(r request) (*slot, error) {
	if r.small() {
		// Slots that come back all the time would never leave any of the
		// budget to those who wait for it.
		if r.depth == 0 && p.smallInHand() >= max(1, p.reserve) && p.claims(1) {
			return nil, errFull
		}
		if s := p.stripes.steal(); s != nil {
			return s, nil
		}
	}
	idle := p.idle.of(r.slotKind)
	if idle.n >= rotation {
		return idle.pop(), nil
	}
	dual, charge := p.dual(r.slotKind), p.charge(r.slotKind)
	if dual && !r.use && !p.freeDual() && p.total+charge > p.budget/4 {
		// Many buffers are open: mapped once, more of them fit.
		dual, charge = false, p.backend.Charge(r.pages*p.pageSize, false)
	}
	if !r.use && idle.n > 0 && p.total+charge+p.kept(r) <= p.budget {
		if s, err := p.mapSlot(r, dual, charge); err == nil {
			return s, nil
		}
	}
	if s := idle.pop(); s != nil {
		return s, nil
	}
	if err := p.makeRoom(charge, r); err != nil {
		return nil, err
	}
	for {
		s, err := p.mapSlot(r, dual, charge)
		// The system's limit may be tighter than the budget, if something
		// else in this process has locked memory.
		var refused *LimitError
		if errors.As(err, &refused) && p.evict(r) == nil {
			continue
		}
		return s, err
	}
}

// makeRoom evicts idle slots until charge bytes fit into the budget. It returns
// errFull if they don't. The caller holds mu.
func (p *Pool) makeRoom(charge int, r request) error {
	for p.total+charge+p.kept(r) > p.budget {
		if err := p.evict(r); err != nil {
			return err
		}
	}
	return nil
}

// takeSpare returns the slot kept for nested calls, or errFull. The caller holds
// mu.
func (p *Pool) takeSpare() (*slot, error) {
	if s := p.spare; s != nil {
		p.spare = nil
		return s, nil
	}
	if !p.hasSpare || p.spareMade {
		return nil, errFull
	}
	r := request{slotKind: smallUse}
	s, err := p.mapSlot(r, p.dual(smallUse), p.charge(smallUse))
	if err != nil {
		return nil, err
	}
	p.small--
	s.spare, p.spareMade = true, true
	return s, nil
}

// mapSlot maps a new slot. The caller holds mu.
func (p *Pool) mapSlot(r request, dual bool, charge int) (*slot, error) {
	run, err := p.mapRun(r.pages*p.pageSize, dual, charge)
	if err != nil {
		return nil, err
	}
	s := &slot{run: run, kind: r.slotKind}
	if !run.Dual {
		s.shown = page.ReadWrite
	}
	p.mapped++
	if r.small() {
		p.small++
	}
	p.armSweeper()
	return s, nil
}

// mapRun maps locked pages and charges them. The caller holds mu.
func (p *Pool) mapRun(size int, dual bool, charge int) (*page.Run, error) {
	run, err := p.backend.Map(size, dual)
	var refused *page.LockError
	if errors.As(err, &refused) {
		p.lastLimit = p.limitError(charge, refused)
		return nil, p.lastLimit
	}
	if err != nil {
		return nil, fmt.Errorf("locked: mapping %d bytes: %w", size, err)
	}
	p.total += charge
	p.peak = max(p.peak, p.total)
	p.dumpable += dumpable(run)
	return run, nil
}

// dumpable is how many bytes of the run a core dump may hold.
func dumpable(run *page.Run) int {
	if run.Dumpable {
		return len(run.View)
	}
	return 0
}

// limitError describes a refusal with the figures of now: the system's, or for
// a nil cause the budget's own. The caller holds mu.
func (p *Pool) limitError(requested int, cause error) *LimitError {
	e := &LimitError{Resource: LockedMemory, Requested: requested, Locked: p.total, Budget: p.budget, Err: cause, chosen: !p.cut}
	var refused *page.LockError
	if errors.As(cause, &refused) {
		e.Resource = Resource(refused.Resource)
	}
	// Without the limits the error still says what was refused and why.
	if l, err := page.ReadLimits(); err == nil {
		e.Soft, e.Hard = l.Soft, l.Hard
	}
	return e
}

// inHand is the number of slots that callers hold. The caller holds mu.
func (p *Pool) inHand() int {
	n := p.mapped - len(p.stuck) - p.stripes.count()
	if p.spare != nil {
		n--
	}
	return n - p.idle.len()
}

// smallInHand is how many small use slots callers hold, without the spare. The
// caller holds mu.
func (p *Pool) smallInHand() int {
	return p.small - p.stripes.count() - p.idle.small.n
}

// putBack takes an idle slot back and hands it on. The caller holds mu.
func (p *Pool) putBack(s *slot) {
	s.used, s.back = true, time.Since(p.born)
	if s.spare {
		p.spare = s
	} else {
		p.idle.of(s.kind).push(s)
	}
	p.settle()
}

// discard unmaps a slot that could not be wiped or closed, so that it is never
// used again. The caller holds mu.
func (p *Pool) discard(s *slot) error {
	err := p.unmapSlot(s)
	p.settle()
	return err
}

// settle serves whoever waits, or empties a closed pool. The caller holds mu.
func (p *Pool) settle() {
	p.progress++
	if p.closed.Load() {
		// What fails is kept as stuck, and Close reports it when called again.
		_ = p.unmapIdle()
		return
	}
	p.dispatch()
}
