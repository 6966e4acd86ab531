package locked

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/random"
)

// A Pool hands out [Buffer]s from locked, guarded pages, and never has more
// bytes locked than its budget. It is safe for concurrent use. Close ends it. The
// zero Pool is closed.
//
// Buffers, regions and large secrets of Use take bytes from the budget, and small
// secrets of Use borrow slots from the lender, to which a part of the budget is
// promised. The slots of both come from the store, which maps them and keeps the
// idle ones.
type Pool struct {
	backend  page.Backend
	pageSize int
	total    int  // bytes that may be locked: the budget's size and the lender's part
	cut      bool // the process may lock less than was asked for
	canary   [CanarySize]byte
	quiet    time.Duration

	budget budget
	store  store
	lender lender

	returns atomic.Uint64 // bytes that came back while callers waited for the budget
	refused atomic.Int32  // callers that wait because the system refused them
	regions atomic.Int64  // bytes that regions take of the budget
	closed  atomic.Bool   // written under mu

	duals     atomic.Int32 // open buffers that are mapped twice
	mostDuals int          // how many there may be

	mu      sync.Mutex  // protects what follows
	open    registry    // of open buffers
	sweeper *time.Timer // nil until something is mapped
	armed   bool        // the sweeper will run
}

// NewPool returns a pool. Nothing is mapped until the first buffer. Where the
// process may not lock even one page the error is a *[LimitError]; where the
// platform or the forced backend can't lock memory, [ErrUnsupported].
func NewPool(cfg Config) (*Pool, error) {
	p, err := openPool(cfg)
	var limit *LimitError
	if cfg.AllowUnlocked && (errors.As(err, &limit) && limit.Resource == LockedMemory || errors.Is(err, ErrUnsupported)) {
		cfg.Backend = Unlocked
		return openPool(cfg)
	}
	return p, err
}

func openPool(cfg Config) (*Pool, error) {
	b, err := page.Open(string(cfg.Backend), nil)
	if err != nil {
		return nil, openError(err)
	}
	r := ofProcess()
	if cfg.Backend == Unlocked {
		r.read = func() (page.Limits, error) { return page.Limits{Soft: Unlimited, Hard: Unlimited}, nil }
	}
	return newPool(b, cfg, r)
}

func newPool(b page.Backend, cfg Config, r rlimits) (*Pool, error) {
	if cfg.LockedBytes < 0 || cfg.UseSlots < 0 || cfg.IdleTimeout < 0 {
		return nil, fmt.Errorf("locked: negative value in %+v", cfg)
	}
	want := cfg.LockedBytes
	if want == 0 {
		want = DefaultLockedBytes
	}
	total, limits, err := r.allowance(want)
	if err != nil {
		return nil, fmt.Errorf("locked: %w", err)
	}
	p := makePool(b, page.Size(), total, cfg)
	p.cut = uint64(want) > limits.InReach()
	if need := p.minimum(); need > total {
		return nil, &LimitError{Resource: LockedMemory, Requested: need, Budget: total, Soft: limits.Soft, Hard: limits.Hard, chosen: !p.cut}
	}
	return p, nil
}

// makePool returns a pool of so many bytes.
func makePool(b page.Backend, pageSize, total int, cfg Config) *Pool {
	p := &Pool{backend: b, pageSize: pageSize, total: total, quiet: cfg.IdleTimeout}
	if p.quiet == 0 {
		p.quiet = DefaultIdleTimeout
	}
	random.Bytes(p.canary[:])
	p.store = store{
		backend:  b,
		pageSize: pageSize,
		size:     total,
		born:     time.Now(),
		budget:   &p.budget,
		limits:   p.limitError,
		idle:     make(map[kind]*freeList),
	}
	p.plan(cfg.UseSlots)
	p.budget.size = total - p.kept()
	// As many as there may ever be processors at work: their number can be raised
	// while the program runs.
	places := 2 * max(runtime.GOMAXPROCS(0), runtime.NumCPU())
	p.lender.idle.init(max(places, p.lender.kept))
	return p
}

// plan decides what is kept for Use, of so many slots that were asked for.
func (p *Pool) plan(slots int) {
	const few = 6
	once, twice := kind{pages: 1, use: true}, kind{pages: 1, use: true, dual: true}
	l := &p.lender
	l.pool, l.kind = p, once
	// Dual slots save system calls. A budget of few slots is better spent on more
	// of them.
	if p.total/p.store.charge(twice) >= few || p.store.charge(twice) == p.store.charge(once) {
		l.kind = twice
	}
	if fit := p.total / p.store.charge(l.kind); slots > 0 {
		l.kept = max(1, min(slots-1, fit/8))
		l.hasSpare = slots >= 2 && fit >= few
	}
	// So it is with buffers. A program without Use is one that opens many: there the
	// second mappings may cost one page in all.
	const many = 128
	if pages := p.total / p.pageSize; pages >= many {
		if p.mostDuals = 1; slots > 0 {
			p.mostDuals = pages / 8
		}
	}
}

// kept is the lender's part of the budget.
func (p *Pool) kept() int {
	slots := p.lender.kept
	if p.lender.hasSpare {
		slots++
	}
	return slots * p.store.charge(p.lender.kind)
}

// minimum is the least budget that serves: what is kept for Use, and one buffer.
func (p *Pool) minimum() int { return p.kept() + p.store.charge(kind{pages: 1}) }

// errZero says that a pool was not made by NewPool.
var errZero = fmt.Errorf("%w: the zero Pool; make one with NewPool", ErrClosed)

// take returns a slot for a buffer, or for a large secret of Use, that fills so
// many pages. While the budget is in use a caller that waits does so until ctx
// ends; any other gets ErrExhausted.
func (p *Pool) take(ctx context.Context, k kind, wait bool) (*slot, error) {
	if p.closed.Load() {
		return nil, ErrClosed
	}
	if !p.fits(k) {
		return nil, p.limitError(p.store.charge(k), nil)
	}
	try := func() (*slot, error) {
		k, err := p.takeBytes(ctx, k, wait)
		if err != nil {
			return nil, err
		}
		return p.getPaid(k)
	}
	if !wait {
		return try()
	}
	return p.insist(ctx, try)
}

const (
	// retryInterval is how often a call that may wait tries again where the system
	// refuses to lock memory, and refusalLimit for how long.
	retryInterval = 20 * time.Millisecond
	refusalLimit  = time.Second
)

// insist calls try until it succeeds, or fails for another reason than a refusal of
// the system, which may say yes once others give back what they have in hand.
func (p *Pool) insist(ctx context.Context, try func() (*slot, error)) (*slot, error) {
	s, err := try()
	for tries := refusalLimit / retryInterval; err != nil && isRefusal(err) && p.lendsOut(); tries-- {
		if tries == 0 {
			return nil, join(ErrExhausted, err)
		}
		if !p.pause(ctx) {
			return nil, join(context.Cause(ctx), err)
		}
		s, err = try()
	}
	return s, err
}

func isRefusal(err error) bool {
	var refused *LimitError
	return errors.As(err, &refused) && refused.Err != nil
}

// pause waits for retryInterval, and reports whether ctx goes on.
func (p *Pool) pause(ctx context.Context) bool {
	p.refused.Add(1)
	defer p.refused.Add(-1)
	t := time.NewTimer(retryInterval)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// takeBytes takes the bytes of a slot from the budget, mapped twice if that is to
// be had, and returns the slot's kind.
func (p *Pool) takeBytes(ctx context.Context, k kind, wait bool) (kind, error) {
	twice := kind{k.pages, k.use, true}
	if p.takeTwice(twice) {
		return twice, nil
	}
	if p.budget.tryTake(p.store.charge(k)) {
		return k, nil
	}
	w := p.budget.lineUp(p.store.charge(k))
	if !wait && p.budget.leave(w) {
		return k, ErrExhausted
	}
	patience := time.Duration(0)
	switch {
	case w.done():
	case nesting() > 0:
		patience = nestedLimit
	case k.use && ctx.Done() == nil:
		patience = stallLimit
	}
	err := w.await(ctx, patience, &p.returns, p.budget.leave)
	if err != nil {
		p.lender.room()
	}
	return k, err
}

// takeTwice takes the bytes of a slot that is mapped twice, if they are free. Where
// those are more it does so for slots of Use, which are few, and some small
// buffers.
func (p *Pool) takeTwice(k kind) bool {
	counted := p.countsTwice(k)
	if counted && (k.pages > 1 || p.duals.Add(1) > int32(p.mostDuals)) {
		if k.pages == 1 {
			p.duals.Add(-1)
		}
		return false
	}
	taken := p.budget.tryTake(p.store.charge(k))
	if counted && !taken {
		p.duals.Add(-1)
	}
	return taken
}

// countsTwice reports whether a buffer's slot of kind k takes more bytes than it
// has to.
func (p *Pool) countsTwice(k kind) bool {
	return !k.use && k.dual && p.store.charge(k) > p.store.charge(kind{pages: k.pages})
}

// fits reports whether the budget could ever hold a slot of kind k beside the
// regions.
func (p *Pool) fits(k kind) bool {
	return p.store.charge(k) <= p.budget.size-int(p.regions.Load())
}

// getPaid returns a slot of kind k, whose bytes are taken from the budget. After an
// error they are given back.
func (p *Pool) getPaid(k kind) (*slot, error) {
	s, err := p.store.get(k)
	if err != nil {
		p.uncount(k)
		p.budget.give(p.store.charge(k))
		p.cameBack()
		if errors.Is(err, errFull) {
			err = ErrExhausted
		}
		return nil, err
	}
	s.paid = true
	p.arm()
	return s, nil
}

// putBack makes a slot idle whose bytes were taken from the budget, or unmaps it if
// the pool is closed.
func (p *Pool) putBack(s *slot) {
	if p.closed.Load() {
		// What fails is stuck, and Close reports it when called again.
		_ = p.discard(s)
		return
	}
	k := s.kind
	s.paid = false
	p.store.put(s)
	p.uncount(k)
	p.budget.give(p.store.charge(k))
	p.cameBack()
	if p.closed.Load() {
		_ = p.store.discardIdle()
	}
}

// discard unmaps a slot that a caller had in hand.
func (p *Pool) discard(s *slot) error {
	defer p.cameBack()
	p.uncount(s.kind)
	return p.store.discard(s)
}

// uncount says that a slot of kind k is no buffer's any more.
func (p *Pool) uncount(k kind) {
	if p.countsTwice(k) {
		p.duals.Add(-1)
	}
}

// cameBack tells those who wait that bytes came back.
func (p *Pool) cameBack() {
	if p.budget.queued.Load() > 0 {
		p.returns.Add(1)
	}
	p.lender.room()
}

// lendsOut reports whether callers have slots in hand that will come back.
func (p *Pool) lendsOut() bool {
	return p.budget.inUse() > int(p.regions.Load()) || p.lender.lent()
}

// arm starts the timer that gives unused slots back. It runs only while there are
// some, and holds no goroutine while it waits.
func (p *Pool) arm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed || p.closed.Load() {
		return
	}
	p.armed = true
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(p.quiet, p.sweep)
		return
	}
	p.sweeper.Reset(p.quiet)
}

// sweep unmaps the slots that nobody used since the last sweep, but for those that
// are kept for Use.
func (p *Pool) sweep() {
	p.mu.Lock()
	p.armed = false
	p.mu.Unlock()
	if p.closed.Load() {
		return
	}
	if p.store.discardUnused() || p.lendsOut() {
		p.arm()
	}
}

// Purge wipes and destroys every open buffer. A slice of one faults from then
// on; its owner's calls return [ErrDestroyed]. The functions that [Pool.Use]
// runs keep their bytes until they return. Buffers that are made meanwhile may
// or may not be among the purged. If the system refuses to let a buffer be wiped
// or unmapped the error says so, now and each time Purge is called until it does.
func (p *Pool) Purge() error {
	if p.backend == nil {
		return nil
	}
	p.mu.Lock()
	buffers := p.open.all()
	p.mu.Unlock()
	var errs []error
	for _, b := range buffers {
		errs = append(errs, b.Destroy())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return p.store.retryStuck()
}

// Close destroys every open buffer, gives all slots back to the system, and
// ends the waiters and all later calls with [ErrClosed]. The slot of a function
// that [Pool.Use] still runs goes when it returns, and a [Region] when its
// owner frees it. If a slot can't be unmapped the error says so, and Close may
// be called again.
func (p *Pool) Close() error {
	if p.backend == nil {
		return nil
	}
	p.mu.Lock()
	p.closed.Store(true)
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
	p.mu.Unlock()
	p.budget.close()
	p.lender.close()
	// What is stuck is tried once.
	purged := p.Purge()
	return errors.Join(purged, p.lender.empty(), p.store.discardIdle())
}

// limitError describes a refusal with the figures of now: the system's, or for
// a nil cause the budget's own.
func (p *Pool) limitError(requested int, cause error) *LimitError {
	p.store.mu.Lock()
	e := &LimitError{Resource: LockedMemory, Requested: requested, Locked: p.store.mapped(), Budget: p.total, Err: cause, chosen: !p.cut}
	p.store.mu.Unlock()
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

// Format prints what the pool is, and nothing that it holds.
func (p *Pool) Format(f fmt.State, _ rune) {
	if p == nil || p.backend == nil {
		fmt.Fprint(f, "locked.Pool(closed)")
		return
	}
	fmt.Fprintf(f, "locked.Pool(%s, %d bytes)", p.backend.Name(), p.total)
}
