package locked

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/random"
)

// A Pool provides [Buffer]s in locked, guarded pages, and never locks more bytes than its
// budget. It is safe for concurrent use. The creator closes it. The zero Pool is closed.
type Pool struct {
	// call            part of the budget   its slots at rest
	//                 and line to wait in
	// ------------------------------------------------------------------------------
	// nested Use      spare (one slot)     in stripes, with their bytes: Use finds
	// Use of a page   kept                 them there without a lock
	// all else        shared               idle, without: unmapped after a quiet time
	//
	// A call gets a slot at rest, or bytes of its part and a slot that is idle or mapped
	// anew, or waits. A Use takes from the shared part too while nobody waits for that.
	canary  [CanarySize]byte
	outside bool // functions run outside of runtime/secret
	store   store

	mu   sync.Mutex // protects what follows
	open map[*Buffer]struct{}
}

// NewPool returns a pool, which maps nothing before the first buffer. The caller closes
// it. If the process may not lock even one page, the error is a *[LimitError]; if the
// platform or the forced backend can't lock memory, it is [ErrUnsupported]. With
// [Config.AllowUnlocked], the pool's memory is then not locked, and there is no error.
func NewPool(cfg Config) (*Pool, error) {
	p, err := openPool(cfg)
	if cfg.AllowUnlocked && cannotLock(err) {
		b := page.OpenUnlocked(err)
		return newPool(b, cfg, limitsFor(b))
	}
	return p, err
}

// makePool returns a pool of so many bytes.
func makePool(b page.Backend, pageSize, total int, cfg Config) *Pool {
	p := &Pool{open: make(map[*Buffer]struct{}), outside: cfg.NoRuntimeSecret}
	random.Bytes(p.canary[:])
	p.store = store{
		backend:  b,
		pageSize: pageSize,
		total:    total,
		quiet:    cmp.Or(cfg.IdleTimeout, DefaultIdleTimeout),
		idle:     make(map[kind][]*slot),
	}
	p.store.plan(cfg.UseSlots)
	return p
}

// errZero says that a pool was not made by NewPool.
var errZero = fmt.Errorf("%w: the zero Pool; make one with NewPool", ErrClosed)

// Purge wipes and destroys every open buffer. Slices of them fault from then on, and
// their owners' calls return [ErrDestroyed]. A function that [Pool.Use] is running keeps
// its bytes until it returns. Purge may miss buffers that are created meanwhile. If the
// system refuses to let a buffer be wiped or unmapped, Purge returns an error, and
// calling it again retries.
func (p *Pool) Purge() error {
	if p.store.backend == nil {
		return nil
	}
	if err := p.destroyAll(); err != nil {
		return err
	}
	return p.store.discardIdle(p.store.quiet)
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

// Close destroys every open buffer and unmaps all slots. Waiting and later calls return
// [ErrClosed]. The slot of a function that [Pool.Use] is running is unmapped when the
// function returns, and a coffer's memory when the coffer is closed. If a slot can't be
// unmapped, Close returns an error and may be called again.
//
// Close stops the timer that unmaps idle slots. In a test with [testing/synctest], close a
// pool in the bubble that used it: the runtime ends a program that stops a bubble's timer
// from outside.
func (p *Pool) Close() error {
	if p.store.backend == nil {
		return nil
	}
	p.store.close()
	return errors.Join(p.destroyAll(), p.store.clear())
}
