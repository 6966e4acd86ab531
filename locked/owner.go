package locked

import (
	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/page"
)

func init() {
	bridge.Pages = func(buffer any) []byte { return buffer.(*Buffer).pages() }
	bridge.NewRegion = func(pool any, size int) (bridge.Region, error) {
		r, err := pool.(*Pool).newRegion(size)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
	bridge.PoolBuffers = func(pool any) []any { return pool.(*Pool).openBuffers() }
	bridge.NewPool = func(b page.Backend, cfg any) (any, error) { return newPool(b, cfg.(Config), limitsFor(b)) }
}

// pages returns the whole pages that the bytes lie in: padding and the canary
// first, the bytes at the end. Whoever writes before the bytes gets
// [ErrCorrupted] from Destroy.
func (b *Buffer) pages() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.alive() {
		return nil
	}
	b.slot.exposed = true
	b.slot.run.Exposed = true
	return b.slot.run.View
}

// openBuffers returns the buffers that are open now.
func (p *Pool) openBuffers() []any {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []any
	for b := range p.open {
		all = append(all, b)
	}
	return all
}
