package locked

import (
	"sync"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/page"
)

func init() {
	bridge.Pages = func(buffer any) []byte { return buffer.(*Buffer).pages() }
	bridge.NewPool = func(b page.Backend, cfg any) (any, error) { return newPool(b, cfg.(Config), ofProcess()) }
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

// SetPurgeLock makes [Pool.Purge] and [Pool.Close] take l while they destroy the
// buffer, nil for none. It is for an owner who reads the bytes under a lock of
// its own: a purge then waits for the readers, instead of making them fault. The
// owner must not purge while it holds l.
func (b *Buffer) SetPurgeLock(l sync.Locker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.guard = l
}

// purge is Destroy under the owner's lock.
func (b *Buffer) purge() error {
	b.mu.Lock()
	guard := b.guard
	b.mu.Unlock()
	if guard != nil {
		guard.Lock()
		defer guard.Unlock()
	}
	return b.Destroy()
}
