package locked_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// busyUse keeps n goroutines in Use until stop is called.
func busyUse(t *testing.T, p *locked.Pool, n int) (uses *atomic.Int64, stop func()) {
	t.Helper()
	uses = new(atomic.Int64)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				err := p.Use(ctx, 32, nop, func([]byte) error {
					uses.Add(1)
					time.Sleep(time.Millisecond) // what a real function would wait for
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return uses, func() { close(done); wg.Wait() }
}

func TestBuffersGetTheirTurnBesideASteadyUse(t *testing.T) {
	t.Parallel()
	inBubble(t, 2*small(), locked.Config{UseSlots: 3}, func(t *testing.T, p *locked.Pool) {
		uses, stop := busyUse(t, p, 50)
		defer stop()
		for uses.Load() < 1000 {
			time.Sleep(time.Millisecond)
		}
		for _, size := range []int{32, 2 * os.Getpagesize()} {
			limited, cancel := context.WithTimeout(ctx, time.Second)
			b, err := p.NewContext(limited, size)
			cancel()
			if err != nil {
				t.Fatalf("a buffer of %d bytes: %v after %d uses", size, err, uses.Load())
			}
			destroy(t, b)
		}
	})
}

// bufferInUse opens a buffer within a Use of so many bytes, once ready returns, and
// reports whether the pool refused.
func bufferInUse(t *testing.T, p *locked.Pool, size, buffer int, ready func()) (refused bool) {
	t.Helper()
	err := p.Use(ctx, size, nop, func([]byte) error {
		ready()
		b, err := p.NewContext(ctx, buffer)
		if err == nil {
			err = b.Destroy()
		}
		return err
	})
	if err != nil && !errors.Is(err, locked.ErrExhausted) {
		t.Error(err)
	}
	return err != nil
}

func TestUseThatWaitsForABufferHangsNobody(t *testing.T) {
	t.Parallel()
	for _, size := range []int{32, os.Getpagesize() + 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inBubble(t, small(), locked.Config{UseSlots: 2}, func(t *testing.T, p *locked.Pool) {
				var wg sync.WaitGroup
				var refused atomic.Int32
				for range 50 {
					wg.Go(func() {
						if bufferInUse(t, p, size, size, func() {}) {
							refused.Add(1)
						}
					})
				}
				wg.Wait()
				if refused.Load() == 50 {
					t.Error("nobody got a buffer")
				}
			})
		})
	}
}

// Of two that hold what the other waits for, one gives up, and the other goes on.
func TestOfTwoThatWaitForEachOtherOneGetsItsBuffer(t *testing.T) {
	t.Parallel()
	inBubble(t, 2*small(), locked.Config{UseSlots: 2}, func(t *testing.T, p *locked.Pool) {
		var wg, inside sync.WaitGroup
		var refused atomic.Int32
		full := make(chan struct{})
		inside.Add(2)
		for range 2 {
			wg.Go(func() {
				if bufferInUse(t, p, os.Getpagesize()+1, 32, func() { inside.Done(); <-full }) {
					refused.Add(1)
				}
			})
		}
		inside.Wait()
		open := fill(t, p, 32)
		close(full)
		wg.Wait()
		if n := refused.Load(); n != 1 {
			t.Errorf("%d of 2 were refused", n)
		}
		for _, b := range open {
			destroy(t, b)
		}
	})
}

// What Use gives back to its own slots is no progress for a call that holds one and
// waits for bytes: a circle of such calls must end however busy the others are.
func TestNestedWaitForTheBudgetEndsBesideASteadyUse(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{UseSlots: 2}, func(t *testing.T, p *locked.Pool) {
		_, stop := busyUse(t, p, 3)
		defer stop()
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		err := p.Use(limited, p.Stats().LargestSecret, nop, func([]byte) error {
			_, err := p.NewContext(limited, 32)
			return err
		})
		if !errors.Is(err, locked.ErrExhausted) {
			t.Errorf("a buffer that its caller's own Use leaves no room for: %v", err)
		}
	})
}

func TestUseDoesNotWaitWhileTheBudgetIsIdle(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{UseSlots: 1, IdleTimeout: time.Hour}, func(t *testing.T, p *locked.Pool) {
		for _, b := range fill(t, p, 32) {
			destroy(t, b)
		}
		// All that was opened is idle now, but for the slot of one long Use.
		err := p.Use(ctx, 32, nop, func([]byte) error {
			start := time.Now()
			other := make(chan error)
			go func() { other <- p.Use(ctx, 32, nop, nop) }()
			err := <-other
			if waited := time.Since(start); waited > time.Second {
				t.Errorf("waited %v", waited)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestBufferWrittenToWhileItClosesLeavesNothingToTheNext(t *testing.T) {
	// Not parallel: the writer has to be on a processor while the buffer closes.
	testenv.MustGuard(t)
	for _, backend := range everyBackend() {
		t.Run(string(backend), func(t *testing.T) {
			open(t, backend)
			// One page: the next buffer gets the same slot.
			p := newPool(t, locked.Config{Backend: backend, LockedBytes: os.Getpagesize()})
			for range 200 {
				b := newBuffer(t, p, 32)
				view := b.Bytes()
				if !bytes.Equal(view, make([]byte, 32)) {
					t.Fatalf("the next buffer holds %x", view)
				}
				died := make(chan struct{})
				var writing atomic.Bool
				go func() {
					defer close(died)
					testenv.Faults(func() {
						for i := 0; ; i++ {
							view[i%32] = 0xAA
							if i == 100 {
								writing.Store(true)
							}
						}
					})
				}()
				for !writing.Load() {
					runtime.Gosched()
				}
				destroy(t, b)
				<-died
			}
		})
	}
}

func TestPanicInFillLeavesNoBuffer(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v", r)
			}
		}()
		_, _ = p.NewFrozen(32, func(data []byte) error {
			copy(data, "a secret")
			panic("mine")
		})
	}()
	if n := p.Stats().OpenBuffers; n != 0 {
		t.Errorf("%d buffers open", n)
	}
	for range 20 {
		b := newBuffer(t, p, 32)
		if !bytes.Equal(b.Bytes(), make([]byte, 32)) {
			t.Error("what fill wrote is still there")
		}
		destroy(t, b)
	}
}

func TestPurgeAndCloseWithinFillEndTheBuffer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*locked.Pool) error{"Purge": (*locked.Pool).Purge, "Close": (*locked.Pool).Close} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, locked.Config{})
			b, err := p.NewFrozen(32, func([]byte) error { return end(p) })
			want := map[string]error{"Purge": locked.ErrDestroyed, "Close": locked.ErrClosed}[name]
			if !errors.Is(err, want) || b != nil {
				t.Errorf("%v, %v", b, err)
			}
			if n := p.Stats().OpenBuffers; n != 0 {
				t.Errorf("%d buffers open", n)
			}
		})
	}
}

func TestConsumedBufferIsGoneForOthersAndBackAfterAFailure(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	b := newBuffer(t, p, 8)
	copy(b.Bytes(), "a secret")
	failure := errors.New("mine")
	err := b.Consume(func(data []byte) error {
		if b.Alive() || !errors.Is(b.Consume(nop), locked.ErrDestroyed) || string(data) != "a secret" {
			t.Error("still there for others")
		}
		return failure
	})
	if !errors.Is(err, failure) || !b.Equal([]byte("a secret")) {
		t.Errorf("after a failure: %v, alive %v", err, b.Alive())
	}
	if err := b.Consume(nop); err != nil || b.Alive() {
		t.Errorf("%v, alive %v", err, b.Alive())
	}
	c := newBuffer(t, p, 8)
	if err := c.Consume(func([]byte) error { destroy(t, c); return failure }); !errors.Is(err, failure) || c.Alive() {
		t.Errorf("destroyed meanwhile: %v, alive %v", err, c.Alive())
	}
	if n := p.Stats().OpenBuffers; n != 0 {
		t.Errorf("%d buffers open", n)
	}
}

func TestLargestSecretIsWhatCanBeOpened(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, UseSlots: 2})
		r, err := p.NewRegion(1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Free()
		largest := p.Stats().LargestSecret
		if largest < os.Getpagesize() {
			t.Errorf("at most %d bytes", largest)
		}
		for _, size := range []int{1, largest / 2, largest, largest + 1, 2 * largest} {
			b, bufferErr := p.New(size)
			if bufferErr == nil {
				destroy(t, b)
			}
			useErr := p.Use(ctx, size, nop, nop)
			if size <= largest && (bufferErr != nil || useErr != nil) {
				t.Errorf("%d bytes of %d at most: New %v, Use %v", size, largest, bufferErr, useErr)
			}
			var limit *locked.LimitError
			if size > largest && !(errors.As(bufferErr, &limit) && errors.As(useErr, &limit)) {
				t.Errorf("%d bytes of %d at most: New %v, Use %v", size, largest, bufferErr, useErr)
			}
		}
	})
}
