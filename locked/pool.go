package locked

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
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
	backend   page.Backend
	pageSize  int
	total     int // bytes that may be locked: the budget's size and the lender's part
	mostTwice int // bytes of the budget within which buffers are mapped twice
	canary    [CanarySize]byte
	quiet     time.Duration

	budget budget
	store  store
	lender lender

	refused atomic.Int32 // callers that wait because the system refused them
	regions atomic.Int64 // bytes that regions take of the budget
	closed  atomic.Bool  // written under mu

	mu      sync.Mutex // protects what follows
	open    map[*Buffer]struct{}
	sweeper *time.Timer // nil unless it will run
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
	p.store.cut = uint64(want) > limits.InReach()
	if need := p.minimum(); need > total {
		return nil, &LimitError{Resource: LockedMemory, Requested: need, Budget: total, Soft: limits.Soft, Hard: limits.Hard, chosen: !p.store.cut}
	}
	return p, nil
}

// makePool returns a pool of so many bytes.
func makePool(b page.Backend, pageSize, total int, cfg Config) *Pool {
	p := &Pool{backend: b, pageSize: pageSize, total: total, quiet: cfg.IdleTimeout, open: make(map[*Buffer]struct{})}
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
		idle:     make(map[kind]*freeList),
	}
	p.plan(cfg.UseSlots)
	p.budget.size = total - p.kept()
	p.budget.freed = p.lender.room
	p.budget.serve, p.budget.closed = p.budget.serveFront, &p.closed
	p.lender.serve, p.lender.closed = p.lender.serveFront, &p.closed
	// As many as there may ever be processors at work: their number can be raised
	// while the program runs.
	places := 2 * max(runtime.GOMAXPROCS(0), runtime.NumCPU())
	p.lender.idle.init(max(places, p.lender.kept))
	return p
}

// plan decides what is kept for Use, of so many slots that were asked for, and what
// is mapped twice: that saves system calls, but may count twice. A budget of few
// slots is better spent on more of them.
func (p *Pool) plan(slots int) {
	const few, many = 6, 128
	once, twice := kind{pages: 1, use: true}, kind{pages: 1, use: true, dual: true}
	l := &p.lender
	l.pool, l.kind = p, once
	if p.total/p.store.charge(twice) >= few || p.store.charge(twice) == p.store.charge(once) {
		l.kind = twice
	}
	if fit := p.total / p.store.charge(l.kind); slots > 0 {
		l.kept = max(1, min(slots-1, fit/8, maxStripes))
		l.hasSpare = slots >= 2 && fit >= few
	}
	switch {
	case p.total/p.pageSize < many:
	case slots > 0:
		p.mostTwice = p.total / 4
	default:
		// A program without Use is one that opens many buffers.
		p.mostTwice = p.store.charge(twice)
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
		return nil, p.store.limitError(p.store.charge(k), nil)
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
	// refuses to lock memory, and mostTries how many times.
	retryInterval = 20 * time.Millisecond
	mostTries     = 50
)

// insist calls try until it succeeds, or fails for another reason than a refusal of
// the system, which may say yes once others give back what they have in hand.
func (p *Pool) insist(ctx context.Context, try func() (*slot, error)) (*slot, error) {
	s, err := try()
	for tries := 0; err != nil && isRefusal(err) && p.lendsOut(); tries++ {
		if tries == mostTries {
			return nil, join(ErrExhausted, err)
		}
		p.refused.Add(1)
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
		}
		p.refused.Add(-1)
		if ctx.Err() != nil {
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

// takeBytes takes the bytes of a slot from the budget, mapped twice if that is to
// be had, and returns the slot's kind.
func (p *Pool) takeBytes(ctx context.Context, k kind, wait bool) (kind, error) {
	twice, most := kind{k.pages, k.use, true}, p.budget.size
	once := p.store.charge(k)
	if !k.use && p.store.charge(twice) > once {
		most = p.mostTwice + int(p.regions.Load())
	}
	if p.budget.tryTake(p.store.charge(twice), most) == nil {
		return twice, nil
	}
	err := p.budget.tryTake(once, p.budget.size)
	if err != ErrExhausted || !wait {
		return k, err
	}
	patience := forever
	switch nested := nesting() > 0; {
	case nested && k.use && k.pages == 1:
		patience = atOnce
	case nested:
		patience = nestedLimit
	case k.use && ctx.Done() == nil:
		patience = stallLimit
	}
	return k, p.budget.take(ctx, once, patience)
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
		p.budget.give(p.store.charge(k))
		return nil, err
	}
	s.paid = true
	return s, nil
}

// putBack makes a slot idle whose bytes were taken from the budget, or unmaps it if
// the pool is closed.
func (p *Pool) putBack(s *slot) {
	k := s.kind
	s.paid = false
	p.store.put(s)
	p.budget.give(p.store.charge(k))
	p.arm()
	if p.closed.Load() {
		// What fails is stuck, and Close reports it when called again.
		_ = p.store.discardIdle(always)
	}
}

// discard unmaps a slot that a caller had in hand.
func (p *Pool) discard(s *slot) error {
	err := p.store.discard(s)
	if err != nil {
		p.arm() // to try again
	}
	return err
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
	if p.sweeper == nil && !p.closed.Load() {
		p.sweeper = time.AfterFunc(p.quiet, p.sweep)
	}
}

// sweep unmaps the slots that nobody used for the quiet period, but for those that
// are kept for Use.
func (p *Pool) sweep() {
	p.mu.Lock()
	p.sweeper = nil
	p.mu.Unlock()
	// What fails is stuck, and tried again.
	_ = p.store.discardIdle(p.quiet)
	if p.store.holds() {
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
	if err := p.destroyAll(); err != nil {
		return err
	}
	return p.store.retryStuck()
}

// destroyAll destroys every open buffer.
func (p *Pool) destroyAll() error {
	p.mu.Lock()
	buffers := slices.Collect(maps.Keys(p.open))
	p.mu.Unlock()
	var errs []error
	for _, b := range buffers {
		errs = append(errs, b.Destroy())
	}
	return errors.Join(errs...)
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
	destroyed := p.destroyAll()
	p.lender.empty()
	return errors.Join(destroyed, p.store.discardIdle(always))
}

// Format prints what the pool is, and nothing that it holds.
func (p *Pool) Format(f fmt.State, _ rune) {
	if p == nil || p.backend == nil {
		fmt.Fprint(f, "locked.Pool(closed)")
		return
	}
	fmt.Fprintf(f, "locked.Pool(%s, %d bytes)", p.backend.Name(), p.total)
}
