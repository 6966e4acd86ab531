package locked

import (
	"bytes"
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
// slot at all has come back for 30 s. fn may call Use again, of this pool or
// another. A call that is nested any deeper, or in a pool that keeps fewer than two
// slots for Use, gets [ErrExhausted] if no slot is free, and so does one that
// waits for a second for a secret of more than a page, or for a buffer: it holds a
// slot that others wait for. [Pool.UseAll] takes several secrets at once and has
// no such worry.
func (p *Pool) Use(ctx context.Context, size int, fill, fn func(b []byte) error) error {
	if p.backend == nil {
		return errZero
	}
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
	if p.backend == nil {
		return errZero
	}
	l := layoutOf(total, p.pageSize)
	s, err := p.takeUse(ctx, total, l.pages)
	if err != nil {
		return err
	}
	fillAll := func(b []byte) error {
		parts, canaries := split(b, sizes)
		for _, c := range canaries {
			copy(c, p.canary[:])
		}
		return fill(parts)
	}
	useAll := func(b []byte) error {
		parts, canaries := split(b, sizes)
		err := fn(parts)
		for _, c := range canaries {
			if !bytes.Equal(c, p.canary[:]) {
				return errors.Join(err, ErrCorrupted)
			}
		}
		return err
	}
	return p.lend(s, l, fillAll, useAll)
}

// split cuts b into parts of the sizes, and what lies between them.
func split(b []byte, sizes []int) (parts, between [][]byte) {
	for i, n := range sizes {
		if i > 0 {
			between = append(between, b[:CanarySize])
			b = b[CanarySize:]
		}
		parts = append(parts, b[:n:n])
		b = b[n:]
	}
	return parts, between
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

// takeUse returns a slot of Use for size bytes, which take that many pages.
func (p *Pool) takeUse(ctx context.Context, size, pages int) (*slot, error) {
	switch {
	case size <= 0 || size > maxSize:
		return nil, checkSize(size)
	case ctx.Done() != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	var s *slot
	var err error
	if pages > 1 || p.lender.kept == 0 {
		s, err = p.take(ctx, kind{pages: pages, use: true}, true)
	} else {
		s, err = p.lender.take(ctx)
	}
	if err != nil {
		return nil, forSecret(size, err)
	}
	return s, nil
}

// lend runs fill and fn on the slot and takes it back wiped.
func (p *Pool) lend(s *slot, l layout, fill, fn func(b []byte) error) (err error) {
	defer func() {
		if endErr := p.takeBack(s, l); endErr != nil {
			err = errors.Join(err, endErr)
		}
	}()
	if err := p.prepare(s, l); err != nil {
		return err
	}
	if err := fill(s.run.Window[l.data:]); err != nil {
		return err
	}
	if err := p.show(s, page.Read); err != nil {
		return err
	}
	return call(fn, s.run.View[l.data:])
}

// takeBack wipes the slot and returns it to where it came from. A slot that can't
// be closed is unmapped instead.
func (p *Pool) takeBack(s *slot, l layout) error {
	corrupted, err := p.closeSlot(s, l)
	switch {
	case err == nil && s.paid:
		p.putBack(s)
	case err == nil:
		p.lender.give(s)
	case s.paid:
		return errors.Join(corrupted, err, p.discard(s))
	default:
		return errors.Join(corrupted, err, p.lender.drop(s))
	}
	return corrupted
}
