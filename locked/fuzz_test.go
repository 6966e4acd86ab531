package locked

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/memkeep/memkeep/internal/page"
)

// faultyPages is a backend of plain memory whose calls fail on request, one at a
// time or several in a row, and that knows what is mapped.
type faultyPages struct {
	t      *testing.T
	double bool

	mu      sync.Mutex        // protects what follows
	mapped  map[*page.Run]int // bytes that each run counts
	locked  int
	failing int // calls that fail from now on
	failed  int
	only    string // what fails; empty for all calls
}

func newFaultyPages(t *testing.T, double bool) *faultyPages {
	return &faultyPages{t: t, double: double, mapped: map[*page.Run]int{}}
}

// failNext makes the next n calls fail, or those of the one kind.
func (f *faultyPages) failNext(n int, only string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing, f.failed, f.only = n, 0, only
}

func (f *faultyPages) fail(call string) error {
	if f.failing == 0 || f.only != "" && f.only != call {
		return nil
	}
	f.failing--
	f.failed++
	return fmt.Errorf("%s: injected", call)
}

func (f *faultyPages) Name() string { return "faulty" }

func (f *faultyPages) Charge(size int, dual bool) int {
	if dual && f.double {
		return 2 * size
	}
	return size
}

func (f *faultyPages) Map(size int, dual bool) (*page.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.fail("map")
	if err != nil && f.failing%2 == 0 {
		err = &page.LockError{Call: "map", Size: size, Err: err}
	}
	if err != nil && f.fail("unmap") == nil {
		return nil, err
	}
	// Also a run that could not be mapped stays if it could not be unmapped.
	pages := make([]byte, size)
	r := &page.Run{Window: pages, View: pages, Dual: dual}
	f.mapped[r] = f.Charge(size, dual)
	f.locked += f.mapped[r]
	return r, err
}

func (f *faultyPages) known(call string, r *page.Run) {
	if _, ok := f.mapped[r]; !ok {
		f.t.Errorf("%s of what is not mapped", call)
	}
}

func (f *faultyPages) Protect(r *page.Run, _ page.Access) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known("protect", r)
	return f.fail("protect")
}

func (f *faultyPages) Unmap(r *page.Run) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known("unmap", r)
	if err := f.fail("unmap"); err != nil {
		return err
	}
	f.locked -= f.mapped[r]
	delete(f.mapped, r)
	return nil
}

// A player makes random calls of a pool, and keeps what they return.
type player struct {
	t       *testing.T
	random  *rand.Rand
	pages   *faultyPages
	pool    *Pool
	buffers map[*Buffer]byte // what each is filled with
	regions []*Region
}

// FuzzPool plays random calls of a pool whose system calls fail at random, singly
// and in bursts, and checks after each that nothing is lost or counted wrongly.
func FuzzPool(f *testing.F) {
	for seed := range uint64(24) {
		f.Add(seed, uint8(seed*11), seed%2 == 0, uint8(seed%4))
	}
	f.Fuzz(func(t *testing.T, seed uint64, pages uint8, double bool, useSlots uint8) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			const pageSize = 4096
			backend := newFaultyPages(t, double)
			p := &player{
				t:       t,
				random:  rand.New(rand.NewPCG(seed, uint64(pages))),
				pages:   backend,
				pool:    makePool(backend, pageSize, (6+int(pages))*pageSize, Config{UseSlots: int(useSlots % 5)}),
				buffers: map[*Buffer]byte{},
			}
			for range 1 + p.random.IntN(400) {
				p.step()
				if t.Failed() {
					return
				}
			}
			p.end()
		})
	})
}

// step makes one call, with or without failures.
func (p *player) step() {
	backend, failing := p.pages, 0
	if p.random.IntN(3) == 0 {
		failing = 1
		if p.random.IntN(2) == 0 {
			failing = 2 + p.random.IntN(7)
		}
	}
	backend.failNext(failing, "")
	name, err := p.call()
	synctest.Wait() // for an expiry that began meanwhile
	if err != nil && backend.failed == 0 {
		var limit *LimitError
		if !errors.Is(err, ErrExhausted) && !errors.As(err, &limit) && !strings.Contains(err.Error(), "injected") {
			p.t.Errorf("%s: %v, though nothing failed", name, err)
		}
	}
	if errors.Is(err, ErrCorrupted) {
		p.t.Errorf("%s: %v", name, err)
	}
	p.check(name)
}

// check checks what holds between calls.
func (p *player) check(after string) {
	p.pool.checkInvariants(p.t)
	stats := p.pool.Stats()
	if stats.LockedBytes != p.pages.locked {
		p.t.Errorf("after %s: %d bytes mapped, %d counted", after, p.pages.locked, stats.LockedBytes)
	}
	if stats.OpenBuffers != len(p.buffers) {
		p.t.Errorf("after %s: %d buffers open, counted %d", after, len(p.buffers), stats.OpenBuffers)
	}
	for b, fill := range p.buffers {
		if data := b.Bytes(); data == nil || !bytes.Equal(data, bytes.Repeat([]byte{fill}, len(data))) {
			p.t.Errorf("after %s: a buffer lost its bytes", after)
		}
	}
	if p.t.Failed() {
		p.t.Logf("after %s", after)
	}
}

func (p *player) size() int { return 1 + p.random.IntN(p.random.IntN(6)*4096+64) }

func (p *player) call() (name string, err error) {
	nothing := func([]byte) error { return nil }
	ctx := context.Background()
	switch p.random.IntN(17) {
	case 0, 1, 2:
		return "New", p.open()
	case 3, 4:
		for b := range p.buffers {
			delete(p.buffers, b)
			return "Destroy", b.Destroy()
		}
	case 5:
		for b := range p.buffers {
			return "Freeze and Melt", errors.Join(b.Freeze(), b.Melt())
		}
	case 6:
		return "Use", p.pool.Use(ctx, p.size(), nothing, nothing)
	case 7:
		size := p.size()
		return "Use within Use", p.pool.Use(ctx, p.size(), nothing, func([]byte) error {
			return p.pool.Use(ctx, size, nothing, nothing)
		})
	case 8:
		r, err := p.pool.NewRegion(p.size())
		if err == nil {
			p.regions = append(p.regions, r)
		}
		return "NewRegion", err
	case 9:
		if n := len(p.regions); n > 0 {
			r := p.regions[n-1]
			p.regions = p.regions[:n-1]
			return "Free", r.Free()
		}
	case 10:
		time.Sleep(p.pool.store.quiet + time.Second)
		synctest.Wait()
		return "a quiet period", nil
	case 11:
		if p.random.IntN(10) == 0 {
			clear(p.buffers)
			return "Purge", p.pool.Purge()
		}
		deadline, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		b, err := p.pool.NewContext(deadline, p.size())
		if err == nil {
			err = b.Destroy()
		} else if errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
		return "NewContext", err
	case 12:
		if p.random.IntN(10) == 0 {
			for err == nil {
				err = p.open()
			}
			return "filling the budget", err
		}
	case 13:
		return "UseAll", p.useAll(ctx)
	case 14:
		return "reading", p.read()
	case 15:
		for b := range p.buffers {
			return "Consume", p.consume(b)
		}
	case 16:
		return "Use by several", p.useBySeveral(ctx)
	}
	return "nothing", nil
}

func (p *player) useAll(ctx context.Context) error {
	sizes := make([]int, 1+p.random.IntN(4))
	for i := range sizes {
		sizes[i] = p.size()
	}
	return p.pool.UseAll(ctx, sizes, func(secrets [][]byte) error {
		for i, b := range secrets {
			copy(b, bytes.Repeat([]byte{byte(i + 1)}, sizes[i]))
		}
		return nil
	}, func(secrets [][]byte) error {
		for i, b := range secrets {
			if !bytes.Equal(b, bytes.Repeat([]byte{byte(i + 1)}, sizes[i])) {
				p.t.Errorf("UseAll: secret %d of the sizes %d", i, sizes)
			}
		}
		return nil
	})
}

// read reads a buffer in one of three ways, sometimes from a reader that fails.
func (p *player) read() (err error) {
	const delim = 0
	size, fill := p.size(), p.fill()
	data := bytes.Repeat([]byte{fill}, size)
	if p.random.IntN(3) == 0 {
		broken := io.MultiReader(bytes.NewReader(data), iotest.ErrReader(errors.New("reader: injected")))
		_, err := p.pool.ReadAll(broken)
		return err
	}
	var b *Buffer
	switch p.random.IntN(3) {
	case 0:
		b, err = p.pool.ReadFull(bytes.NewReader(data), size)
	case 1:
		b, err = p.pool.ReadUntil(bytes.NewReader(append(data, delim, fill)), delim)
	case 2:
		b, err = p.pool.ReadAll(bytes.NewReader(data))
	}
	if err != nil {
		return err
	}
	if b.Size() != size {
		p.t.Errorf("%d bytes of %d are read", b.Size(), size)
	}
	p.buffers[b] = fill
	return nil
}

// consume leaves a buffer as it was where the function fails.
func (p *player) consume(b *Buffer) error {
	refused := p.random.IntN(2) == 0
	err := b.Consume(func([]byte) error {
		if refused {
			return errors.New("function: injected")
		}
		return nil
	})
	if !b.Alive() {
		if delete(p.buffers, b); refused {
			p.t.Error("the function failed, and the buffer is destroyed")
		}
	} else if err == nil {
		p.t.Error("the buffer is not destroyed")
	}
	return err
}

// useBySeveral makes calls that have to wait for each other where little is left.
func (p *player) useBySeveral(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	size := p.size()
	errs := make([]error, 8)
	var calls sync.WaitGroup
	for i := range errs {
		calls.Go(func() {
			errs[i] = p.pool.Use(ctx, size, func([]byte) error { return nil }, func([]byte) error {
				time.Sleep(time.Millisecond)
				return nil
			})
			if errors.Is(errs[i], context.DeadlineExceeded) {
				errs[i] = nil
			}
		})
	}
	calls.Wait()
	return errors.Join(errs...)
}

func (p *player) fill() byte { return byte(1 + p.random.IntN(255)) }

func (p *player) open() error {
	b, err := p.pool.New(p.size())
	if err != nil {
		return err
	}
	fill := p.fill()
	for i := range b.Bytes() {
		b.Bytes()[i] = fill
	}
	p.buffers[b] = fill
	return nil
}

// end closes the pool, whatever fails, and then nothing is mapped.
func (p *player) end() {
	clear(p.buffers)
	for p.pages.failNext(p.random.IntN(9), ""); p.pages.failing > 0; {
		if err := p.pool.Close(); err == nil {
			break
		}
		p.check("a failed Close")
	}
	p.pages.failNext(0, "")
	if err := p.pool.Close(); err != nil {
		p.t.Errorf("Close: %v", err)
	}
	for _, r := range p.regions {
		if err := r.Free(); err != nil {
			p.t.Errorf("Free: %v", err)
		}
	}
	p.regions = nil
	for range 40 {
		if name, err := p.call(); err != nil && !errors.Is(err, ErrClosed) && !strings.Contains(err.Error(), "injected") {
			p.t.Errorf("%s of a closed pool: %v", name, err)
		}
	}
	p.check("Close")
	if len(p.pages.mapped) > 0 || len(p.buffers) > 0 {
		p.t.Errorf("%d runs stay mapped, %d buffers open", len(p.pages.mapped), len(p.buffers))
	}
}
