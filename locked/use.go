package locked

import (
	"context"
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/internal/page"
)

// Use lends size bytes of locked memory for the time of two calls. It runs fill
// on writable bytes, to put a secret there, and then fn on the same bytes
// read-only: writing to them faults. When fn returns or panics the bytes are
// wiped and the canary before them is checked. Both functions' errors are
// returned as they are; [ErrCorrupted] says that fn wrote where it should not.
//
// The bytes are valid until fn returns. A slice kept longer reads as zero or
// as what later calls put there: copy what must live on, or use a [Buffer].
//
// Use waits for a slot, in order of arrival, until ctx ends, and then returns
// its cause. With a context that never ends it returns [ErrExhausted] once no
// slot at all has come back for 30 s. When fn calls Use again and every slot that
// Use gave out is held by a caller that wants one more, one of them gets
// [ErrExhausted] at once, so that the others can go on. [Pool.UseAll]
// takes several secrets at once and has no such worry.
func (p *Pool) Use(ctx context.Context, size int, fill, fn func(b []byte) error) error {
	return p.UseAt(ctx, size, func(b []byte, _ int) error { return fill(b) }, fn)
}

// UseAt is Use whose fill also learns its place: a small number, from 0 on,
// that calls at work on different processors mostly do not share. What fill
// spreads over processors goes by it.
func (p *Pool) UseAt(ctx context.Context, size int, fill func(b []byte, place int) error, fn func(b []byte) error) error {
	l := layoutOf(size, p.pageSize)
	s, err := p.takeUse(ctx, size, l.pages)
	if err != nil {
		return err
	}
	return p.lend(s, l, fill, fn)
}

// UseAll is Use for several secrets at once, one of each of the sizes, in one
// slot: it never holds one while it waits for another. Each has a canary of its
// own. The slices are in the order of sizes.
func (p *Pool) UseAll(ctx context.Context, sizes []int, fill, fn func(b [][]byte) error) error {
	if len(sizes) == 0 {
		return fn(nil)
	}
	total := (len(sizes) - 1) * CanarySize
	for _, n := range sizes {
		if err := checkSize(n); err != nil {
			return err
		}
		if total += n; total > maxSize {
			return checkSize(total)
		}
	}
	l := layoutOf(total, p.pageSize)
	s, err := p.takeUse(ctx, total, l.pages)
	if err != nil {
		return err
	}
	window := s.run.Window
	fillAll := func(b []byte, _ int) error {
		parts := split(b, sizes)
		for _, part := range parts[1:] {
			at := len(window) - cap(part)
			copy(window[at-CanarySize:at], p.canary[:])
		}
		clip(parts)
		return fill(parts)
	}
	useAll := func(b []byte) error {
		parts := split(b, sizes)
		clip(parts)
		err := fn(parts)
		for _, part := range split(b, sizes)[1:] {
			at := len(window) - cap(part)
			if [CanarySize]byte(window[at-CanarySize:at]) != p.canary {
				return errors.Join(err, ErrCorrupted)
			}
		}
		return err
	}
	return p.lend(s, l, fillAll, useAll)
}

// split cuts b into parts of the sizes, with room for a canary between them.
// The parts keep b's capacity, which tells where they lie.
func split(b []byte, sizes []int) [][]byte {
	parts := make([][]byte, len(sizes))
	for i, n := range sizes {
		parts[i] = b[:n]
		if i < len(sizes)-1 {
			b = b[n+CanarySize:]
		}
	}
	return parts
}

// clip cuts the parts' capacity to their length.
func clip(parts [][]byte) {
	for i, part := range parts {
		parts[i] = part[:len(part):len(part)]
	}
}

func checkSize(size int) error {
	switch {
	case size <= 0:
		return fmt.Errorf("locked: invalid size %d", size)
	case size > maxSize:
		return &LimitError{Resource: AddressSpace, Size: size, Requested: size}
	}
	return nil
}

// takeUse returns a use slot for size bytes, which take that many pages.
func (p *Pool) takeUse(ctx context.Context, size, pages int) (*slot, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	if ctx.Done() != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r := request{slotKind: slotKind{pages: pages, use: true}}
	// Whoever waits came first.
	if r.small() && p.waiting.Load() == 0 {
		if s := p.stripes.take(); s != nil {
			if !p.closed.Load() {
				return s, nil
			}
			p.returnUse(s)
		}
	}
	s, err := p.acquire(ctx, r, true)
	if err != nil {
		return nil, forSecret(size, err)
	}
	s.place = p.stripes.place()
	return s, nil
}

// returnUse takes a wiped use slot back.
func (p *Pool) returnUse(s *slot) {
	s.used = true
	if s.kind.small() && !s.spare && p.waiting.Load() == 0 && p.stripes.put(s) {
		// A waiter that came, or a Close, between the two looks did not see
		// the slot; this look sees them.
		if p.waiting.Load() > 0 || p.closed.Load() {
			p.mu.Lock()
			p.settle()
			p.mu.Unlock()
		}
		return
	}
	p.mu.Lock()
	p.putBack(s)
	p.mu.Unlock()
}

// lend runs fill and fn on the slot and takes it back wiped.
func (p *Pool) lend(s *slot, l layout, fill func(b []byte, place int) error, fn func(b []byte) error) (err error) {
	defer func() {
		if endErr := p.takeBack(s, l); endErr != nil {
			err = errors.Join(err, endErr)
		}
	}()
	if err := p.arm(s, l); err != nil {
		return err
	}
	if err := fill(s.run.Window[l.data:], s.place); err != nil {
		return err
	}
	if err := p.show(s, page.Read); err != nil {
		return err
	}
	return holdDigit(p.lane, laneDigits, fn, s.run.View[l.data:])
}

// takeBack wipes the slot and returns it to the pool. A slot that can't be
// closed is unmapped instead.
func (p *Pool) takeBack(s *slot, l layout) error {
	corrupted, err := p.closeSlot(s, l)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		return errors.Join(corrupted, err, p.discard(s))
	}
	p.returnUse(s)
	return corrupted
}
