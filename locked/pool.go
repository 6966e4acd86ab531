package locked

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/percpu"
)

// Backend names a mechanism for locked pages.
type Backend string

// The backends, best first. Linux has all three, other systems the last.
const (
	// BestBackend chooses the best one that the system offers.
	BestBackend Backend = ""
	// MemfdSecret is memfd_secret(2): pages that no other process can read,
	// root included, and that block hibernation. A slot that is mapped twice
	// counts twice towards the limit.
	MemfdSecret Backend = page.MemfdSecret
	// Memfd is memfd_create(2) and mlock(2).
	Memfd Backend = page.Memfd
	// Memcall is private memory with mlock(2) or VirtualLock.
	Memcall Backend = page.Memcall
)

const (
	// DefaultLockedBytes is the budget of a pool that names none: 8 MiB, the
	// limit that Linux (since 5.16) and systemd give a process that nobody
	// configured, so that a server meets the same budget wherever it runs.
	// Pages are locked only as buffers need them, so a large budget costs
	// nothing until it is used.
	DefaultLockedBytes = 8 << 20

	// DefaultQuietPeriod is how long an unused slot stays locked before its
	// pages go back to the system.
	DefaultQuietPeriod = 10 * time.Second
)

// Config says how a Pool is made. The zero value is a good choice.
type Config struct {
	// LockedBytes is the budget in bytes, [DefaultLockedBytes] if zero. It is
	// cut to what the process may lock; the soft limit is raised towards the
	// hard one where that is all it takes.
	LockedBytes int

	// Backend forces a mechanism.
	Backend Backend

	// UseSlots is how many slots of one page are kept for [Pool.Use] alone,
	// so that it finds one however many buffers are open. From two on, one
	// of them is for calls nested in another Use alone, so that a single
	// level of nesting never waits for itself. A tight budget keeps fewer:
	// what a quarter of it holds, but at least one, and the one for nested
	// calls only where six slots fit. Zero keeps none.
	UseSlots int

	// QuietPeriod is how long an unused slot stays mapped and locked:
	// [DefaultQuietPeriod] if zero.
	QuietPeriod time.Duration
}

// A Pool hands out [Buffer]s from locked, guarded pages, and never has more
// bytes locked than its budget. It is safe for concurrent use. Close ends it.
type Pool struct {
	backend  page.Backend
	budget   int
	pageSize int
	canary   [CanarySize]byte
	quiet    time.Duration
	born     time.Time
	lane     lane // names this pool's frames on a stack
	cut      bool // the process may lock less than was asked for
	reserve  int  // small use slots kept for Use, without the spare
	hasSpare bool
	// dual mappings cost some backends twice the charge; a tight budget has
	// more slots without them.
	dualUse, dualBuffers bool

	stripes stripes      // small use slots at hand, taken without mu
	waiting atomic.Int32 // callers that wait or are about to
	closed  atomic.Bool  // written under mu
	largest atomic.Int64 // bytes that one slot can ever hold; written under mu

	_ [percpu.CacheLine]byte // Use reads what is above; what is below changes with every buffer

	mu            sync.Mutex // protects all that follows
	total         int        // bytes charged by everything mapped
	regions       int        // of these, by regions
	peak          int
	dumpable      int   // bytes mapped that a core dump may hold
	mapped        int   // slots mapped, in hand or idle
	small         int   // of these, small use slots without the spare
	spare         *slot // the idle spare
	spareMade     bool  // the spare is mapped, idle or in hand
	idle          idleSlots
	stuck         []*slot  // could not be unmapped; Close tries again
	queues        [2]queue // of waiters: small use slots, everything else
	heldByWaiters int      // use slots that the waiters hold already
	progress      uint64   // counts slots that came back while callers waited
	open          *Buffer  // the registry of open buffers
	openCount     int
	lastLimit     *LimitError
	sweeper       *time.Timer
	sweeping      bool // the sweeper is armed
	retry         *time.Timer
	again         bool // somebody waits for what no slot that comes back tells
	retrying      bool // the retry timer is armed
}

// NewPool returns a pool. Nothing is mapped until the first buffer. Where the
// process may not lock even one page the error is a *[LimitError]; where the
// platform or the forced backend can't lock memory, [ErrUnsupported].
func NewPool(cfg Config) (*Pool, error) {
	b, err := page.Open(string(cfg.Backend), nil)
	if err != nil {
		return nil, openError(err)
	}
	return newPool(b, cfg, ofProcess())
}

func newPool(b page.Backend, cfg Config, r rlimits) (*Pool, error) {
	if cfg.LockedBytes < 0 || cfg.UseSlots < 0 || cfg.QuietPeriod < 0 {
		return nil, fmt.Errorf("locked: negative value in %+v", cfg)
	}
	want := cfg.LockedBytes
	if want == 0 {
		want = DefaultLockedBytes
	}
	budget, limits, err := r.allowance(want)
	if err != nil {
		return nil, fmt.Errorf("locked: %w", err)
	}
	p := &Pool{
		backend:  b,
		budget:   budget,
		cut:      uint64(want) > limits.InReach(),
		pageSize: page.Size(),
		quiet:    cfg.QuietPeriod,
		born:     time.Now(),
	}
	if p.quiet == 0 {
		p.quiet = DefaultQuietPeriod
	}
	p.plan(cfg.UseSlots)
	if need := p.minimum(); need > budget {
		return nil, &LimitError{Resource: LockedMemory, Requested: need, Budget: budget, Soft: limits.Soft, Hard: limits.Hard, chosen: !p.cut}
	}
	// crypto/rand.Read fills its argument or ends the program.
	_, _ = rand.Read(p.canary[:])
	p.lane = newLane()
	p.updateLargest()
	p.stripes.init(2 * runtime.GOMAXPROCS(0))
	return p, nil
}

// plan decides what the budget is enough for.
func (p *Pool) plan(useSlots int) {
	slots := func(dual bool) int { return p.budget / p.backend.Charge(p.pageSize, dual) }
	// Dual slots save system calls. A budget of few slots is better spent on
	// more of them.
	const few, manyEnough = 6, 64
	p.dualUse = slots(true) >= few || p.freeDual()
	if useSlots > 0 {
		p.reserve = min(max(1, useSlots-1), max(1, slots(p.dualUse)/4))
		p.hasSpare = useSlots >= 2 && slots(p.dualUse) >= few
	}
	p.dualBuffers = slots(true) >= manyEnough || p.freeDual()
}

// minimum is the least budget that serves: the kept use slots, and one buffer.
func (p *Pool) minimum() int {
	kept := p.reserve
	if p.hasSpare {
		kept++
	}
	return kept*p.charge(smallUse) + p.charge(slotKind{pages: 1})
}

// Purge wipes and destroys every open buffer. A slice of one faults from then
// on; its owner's calls return [ErrDestroyed]. The functions that [Pool.Use]
// runs keep their bytes until they return. Buffers that are made meanwhile may
// or may not be among the purged.
func (p *Pool) Purge() error {
	p.mu.Lock()
	buffers := make([]*Buffer, 0, p.openCount)
	for b := p.open; b != nil; b = b.next {
		buffers = append(buffers, b)
	}
	p.mu.Unlock()
	// Destroy takes the buffer's lock before the pool's.
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
	p.mu.Lock()
	p.closed.Store(true)
	for _, timer := range []*time.Timer{p.sweeper, p.retry} {
		if timer != nil {
			timer.Stop()
		}
	}
	p.failWaiters(ErrClosed)
	p.mu.Unlock()

	purged := p.Purge()

	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(purged, p.unmapIdle())
}

// CanHold returns a *[LimitError] if a secret of size bytes could never be
// opened within the budget, whatever comes back, by a buffer or by Use.
func (p *Pool) CanHold(size int) error {
	if int64(size) <= p.largest.Load() {
		return nil
	}
	if err := checkSize(size); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	pages := layoutOf(size, p.pageSize).pages
	return forSecret(size, p.limitError(p.charge(slotKind{pages: pages}), nil))
}

// updateLargest follows a change of what regions take. The caller holds mu, or
// is alone.
func (p *Pool) updateLargest() {
	pages := p.budget / p.pageSize
	for ; pages > 0; pages-- {
		buffer, use := request{slotKind: slotKind{pages: pages}}, request{slotKind: slotKind{pages: pages, use: true}}
		if p.fits(buffer) && p.fits(use) {
			break
		}
	}
	p.largest.Store(int64(pages*p.pageSize - CanarySize))
}

// Format prints what the pool is, and nothing that it holds.
func (p *Pool) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "locked.Pool(%s, %d bytes)", p.backend.Name(), p.budget)
}

// Stats is what a pool holds at one moment.
type Stats struct {
	LockedBytes     int         // bytes locked now, as the process's limit counts them
	LockedBytesPeak int         // the most there were
	DumpableBytes   int         // bytes mapped that a core dump may hold, where the system can't leave them out
	Budget          int         // the most there may be
	BudgetCut       bool        // the process's limit allows less than was asked for; rounding to whole pages is no cut
	Backend         Backend     // the mechanism in use
	BackendReason   string      // what the system answered for each better mechanism; empty for the best one, and for one that was forced
	OpenBuffers     int         // buffers not yet destroyed: one that grows for ever is a leak
	Waiters         int         // calls that wait for a slot
	LastLimitError  *LimitError // the last time the system refused to lock; nil for never
}

// Stats returns the pool's figures. It takes one lock for a moment.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		LockedBytes:     p.total,
		LockedBytesPeak: p.peak,
		DumpableBytes:   p.dumpable,
		Budget:          p.budget,
		BudgetCut:       p.cut,
		Backend:         Backend(p.backend.Name()),
		BackendReason:   reasonOf(p.backend),
		OpenBuffers:     p.openCount,
		Waiters:         p.queues[0].Len() + p.queues[1].Len(),
		LastLimitError:  p.lastLimit,
	}
}

// reasonOf says on one line why no better backend is in use.
func reasonOf(b page.Backend) string {
	err := page.Missing(b)
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
