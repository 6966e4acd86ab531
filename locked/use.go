package locked

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"runtime"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/secretdo"
)

// Use lends size bytes of locked memory for two calls. It calls fill with writable bytes,
// to put a secret there, and then fn with the same bytes, read-only: writing to them
// faults. When fn returns or panics, Use checks the canary and wipes the bytes. It
// returns an error of fill or fn unchanged, and [ErrCorrupted] if fn wrote before the
// bytes.
//
// The bytes are valid until fn returns. A slice that is kept longer reads as zero, or as
// what later calls put there.
//
// Use waits for a slot, in order of arrival. If ctx ends first, it returns the context's
// cause. With a context that never ends it returns [ErrExhausted] once no
// slot at all has come back for 30 s. fill and fn may call Use again, of this pool or
// another. A call that is nested any deeper, or in a pool that keeps fewer than two
// slots for Use, gets [ErrExhausted] if no slot is free, and so does one that
// waits about a second for a secret of more than a page, or for a buffer: it holds a
// slot that others wait for. [Pool.UseAll] takes several secrets at once and has
// no such worry.
//
// In a program built with GOEXPERIMENT=runtimesecret, fn runs inside
// [runtime/secret.Do], unless [Config.NoRuntimeSecret] or [WithoutRuntimeSecret] says
// otherwise. fill does not.
func (p *Pool) Use(ctx context.Context, size int, fill, fn func(b []byte) error) error {
	if p.store.backend == nil {
		return errZero
	}
	if err := checkSize(size); err != nil {
		return err
	}
	l := layoutOf(size, p.store.pageSize)
	s, err := p.acquireUse(ctx, l.pages)
	if err != nil {
		return forSecret(size, err)
	}
	if p.outside || secretdo.Unwanted(ctx) {
		return p.lend(s, l, fill, fn)
	}
	return p.lend(s, l, fill, secretdo.Func(fn))
}

// lend runs fill and fn on the slot and takes it back.
func (p *Pool) lend(s *slot, l layout, fill, fn func(b []byte) error) (err error) {
	defer func() {
		if endErr := p.release(s, l); endErr != nil {
			err = errors.Join(err, endErr)
		}
	}()
	if err := p.prepare(s, l); err != nil {
		return err
	}
	if err := call(fill, s.run.Window[l.data:]); err != nil {
		return err
	}
	if err := p.show(s, page.Read); err != nil {
		return err
	}
	return call(fn, s.run.View[l.data:])
}

// acquireUse returns a slot of so many pages.
func (p *Pool) acquireUse(ctx context.Context, pages int) (*slot, error) {
	if ctx.Done() != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if pages == 1 && !p.store.closed.Load() && !p.store.useWaits() {
		if s := p.store.stripes[kept].get(); s != nil {
			return s, nil
		}
	}
	return p.store.acquire(ctx, forUse, pages, true)
}

// release wipes the slot and gives it back. A slot that can't be closed is
// unmapped instead.
func (p *Pool) release(s *slot, l layout) error {
	corrupted, err := p.closeSlot(s, l)
	if err != nil {
		return errors.Join(corrupted, err, p.store.discard(s))
	}
	p.store.giveBack(s)
	return corrupted
}

// call runs a function that was given to Use. Its frame tells nesting of it.
//
//go:noinline
func call(fn func([]byte) error, b []byte) error { return fn(b) }

// nesting returns how many functions given to Use, of any pool, the calling
// goroutine is in, up to 2. Such a call holds a slot, so it must not wait like
// others. Go names no goroutine, but the frames of the outer calls are on its
// stack, and only a call that is about to wait looks for them.
//
// What a function given to Use calls on another goroutine is not seen.
func nesting() int {
	var few [64]uintptr
	pcs, n := few[:], runtime.Callers(2, few[:])
	// The whole stack in one piece: to begin again further down would cost the square
	// of its depth.
	for n == len(pcs) {
		pcs = make([]uintptr, 8*n)
		n = runtime.Callers(2, pcs)
	}
	depth, within, entry := 0, false, reflect.ValueOf(call).Pointer()
	for _, pc := range pcs[:n] {
		outside := !within
		f := runtime.FuncForPC(pc - 1)
		// A profile-guided build may inline fn: then one frame has several counters.
		if within = f != nil && f.Entry() == entry; within && outside {
			depth++
		}
	}
	return min(depth, 2)
}

// UseAll is like [Pool.Use] for several secrets at once, one for each of the sizes and in
// their order. They lie in one slot, so UseAll never holds one while it waits for
// another. Each has its own canary.
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
	return p.Use(ctx, total, func(b []byte) error {
		secrets, canaries := split(b, sizes)
		for _, c := range canaries {
			copy(c, p.canary[:])
		}
		return fill(secrets)
	}, func(b []byte) error {
		secrets, canaries := split(b, sizes)
		err := fn(secrets)
		for _, c := range canaries {
			if !bytes.Equal(c, p.canary[:]) {
				return errors.Join(err, ErrCorrupted)
			}
		}
		return err
	})
}
