package locked_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

var (
	ctx = context.Background()
	nop = func([]byte) error { return nil }
)

func put(secret string) func([]byte) error {
	return func(data []byte) error { copy(data, secret); return nil }
}

func TestUseLendsReadOnlyBytesAndWipesThem(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, UseSlots: 2})
		for _, size := range sizes() {
			failure := errors.New("mine")
			err := p.Use(ctx, size, func(data []byte) error {
				if len(data) != size || cap(data) != size {
					t.Errorf("size %d: fill got len %d, cap %d", size, len(data), cap(data))
				}
				if !bytes.Equal(data, make([]byte, size)) {
					t.Errorf("size %d: fill got bytes that are not zero", size)
				}
				for i := range data {
					data[i] = 0xA5
				}
				return nil
			}, func(data []byte) error {
				if !bytes.Equal(data, bytes.Repeat([]byte{0xA5}, size)) {
					t.Errorf("size %d: fn got other bytes", size)
				}
				testenv.MustFault(t, "writing in Use", func() { data[size-1] = 1 })
				testenv.MustFault(t, "reading past the end in Use", func() { testenv.Touch([]byte{*at(data, size)}) })
				return failure
			})
			if err != failure {
				t.Errorf("size %d: fn's error became %v", size, err)
			}
		}
	})
}

func TestUseWipesWhateverHappens(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, UseSlots: 1})
		gone := func(when string) {
			t.Helper()
			// The few slots all come around.
			for range 20 {
				if err := p.Use(ctx, 32, func(data []byte) error {
					if !bytes.Equal(data, make([]byte, 32)) {
						return fmt.Errorf("after %s the slot holds %q", when, data)
					}
					return nil
				}, nop); err != nil {
					t.Error(err)
				}
			}
		}
		failure := errors.New("mine")
		if err := p.Use(ctx, 32, func(data []byte) error { copy(data, "a secret"); return failure }, nop); err != failure {
			t.Errorf("fill's error became %v", err)
		}
		gone("a failed fill")

		func() {
			defer func() {
				if r := recover(); r != "mine" {
					t.Errorf("recovered %v", r)
				}
			}()
			_ = p.Use(ctx, 32, put("a secret"), func([]byte) error { panic("mine") })
		}()
		gone("a panic")

		exited := make(chan struct{})
		go func() {
			defer close(exited)
			_ = p.Use(ctx, 32, put("a secret"), func([]byte) error {
				runtime.Goexit()
				return nil
			})
		}()
		<-exited
		gone("the end of its goroutine")
	})
}

func TestWriteBeforeUsedBytesIsReported(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, UseSlots: 2})
		failure := errors.New("mine")
		overrun := func(data []byte) error { *at(data, -1) ^= 1; return nil }
		err := p.Use(ctx, 32, overrun, func([]byte) error { return failure })
		if !errors.Is(err, locked.ErrCorrupted) || !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		if err := p.Use(ctx, 32, nop, nop); err != nil {
			t.Errorf("the next one: %v", err)
		}
		err = p.UseAll(ctx, []int{8, 8}, func(all [][]byte) error { *at(all[1], -1) ^= 1; return nil },
			func([][]byte) error { return nil })
		if !errors.Is(err, locked.ErrCorrupted) {
			t.Errorf("between two of UseAll: %v", err)
		}
	})
}

func TestUseAllGivesEachSecretItsOwnBytes(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, UseSlots: 1})
		sizes := []int{1, 32, 7, 100}
		err := p.UseAll(ctx, sizes, func(all [][]byte) error {
			for i, b := range all {
				if len(b) != sizes[i] || cap(b) != sizes[i] {
					t.Errorf("%d: len %d, cap %d, want %d", i, len(b), cap(b), sizes[i])
				}
				for j := range b {
					b[j] = byte(i + 1)
				}
			}
			return nil
		}, func(all [][]byte) error {
			for i, b := range all {
				if !bytes.Equal(b, bytes.Repeat([]byte{byte(i + 1)}, sizes[i])) {
					t.Errorf("%d: %v", i, b)
				}
				testenv.MustFault(t, "writing in UseAll", func() { b[0] = 0 })
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		called := false
		if err := p.UseAll(ctx, nil, nil, func(all [][]byte) error { called = len(all) == 0; return nil }); err != nil || !called {
			t.Errorf("of nothing: %v, called %v", err, called)
		}
		if err := p.UseAll(ctx, []int{8, 0}, nil, nil); err == nil {
			t.Error("a secret of no bytes was accepted")
		}
	})
}

func TestUseFindsASlotHoweverManyBuffersAreOpen(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, UseSlots: 2})
		for _, size := range []int{32, os.Getpagesize()} {
			open := fill(t, p, size)
			if err := p.Use(ctx, 32, nop, nop); err != nil {
				t.Errorf("with %d buffers open: %v", len(open), err)
			}
			for _, b := range open {
				destroy(t, b)
			}
		}
	})
}

// A key-encrypting key, then a data key: the usual nesting.
func TestOneLevelOfNestingNeverFails(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, UseSlots: 2})
		open := fill(t, p, 32)
		defer func() {
			for _, b := range open {
				destroy(t, b)
			}
		}()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				for range 20 {
					if err := p.Use(ctx, 32, nop, func([]byte) error { return p.Use(ctx, 32, nop, nop) }); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestDeepNestingFailsForSomeAndHangsForNone(t *testing.T) {
	t.Parallel()
	for _, useSlots := range []int{0, 1, 2, 3} {
		t.Run(fmt.Sprint(useSlots), func(t *testing.T) {
			t.Parallel()
			p := newPool(t, locked.Config{UseSlots: useSlots})
			open := fill(t, p, 32)
			defer func() {
				for _, b := range open {
					destroy(t, b)
				}
			}()
			if useSlots == 0 {
				// Nothing is kept: make room for one slot.
				destroy(t, open[0])
				destroy(t, open[1])
			}
			var deep func(levels int) error
			deep = func(levels int) error {
				if levels == 0 {
					return nil
				}
				return p.Use(ctx, 32, nop, func([]byte) error { return deep(levels - 1) })
			}
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					for range 5 {
						if err := deep(3); err != nil && !errors.Is(err, locked.ErrExhausted) {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if err := deep(1); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			// Whoever is alone has all that is kept for Use.
			for levels := range useSlots {
				if err := deep(levels); err != nil && p.Kept() >= levels {
					t.Errorf("alone, %d levels deep: %v", levels, err)
				}
			}
		})
	}
}

func TestTwoPoolsNestedInEachOtherDoNotCountEachOthersSlots(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, 2*small())
	cfg := locked.Config{LockedBytes: small(), UseSlots: 2}
	outer, inner := openPool(t, cfg), openPool(t, cfg)
	open := fill(t, inner, 32)
	defer func() {
		for _, b := range open {
			destroy(t, b)
		}
	}()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				if err := outer.Use(ctx, 32, nop, func([]byte) error { return inner.Use(ctx, 32, nop, nop) }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestUseThatCanNeverGoOnEndsWithAnError(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{UseSlots: 1}, func(t *testing.T, p *locked.Pool) {
		open := fill(t, p, 32)
		// The nested call is on a goroutine of its own, so nothing on its stack
		// tells that its caller holds the only slot.
		err := p.Use(ctx, 32, nop, func([]byte) error {
			failed := make(chan error)
			go func() { failed <- p.Use(ctx, 32, nop, nop) }()
			return <-failed
		})
		if !errors.Is(err, locked.ErrExhausted) {
			t.Errorf("got %v", err)
		}
		limited, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		err = p.Use(ctx, 32, nop, func([]byte) error {
			failed := make(chan error)
			go func() { failed <- p.Use(limited, 32, nop, nop) }()
			return <-failed
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
		for _, b := range open {
			destroy(t, b)
		}
	})
}

func TestUseWaitsAsLongAsSlotsComeBack(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{UseSlots: 1}, func(t *testing.T, p *locked.Pool) {
		open := fill(t, p, 32)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := p.Use(ctx, 32, nop, func([]byte) error { time.Sleep(20 * time.Second); return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, b := range open {
			destroy(t, b)
		}
	})
}

func TestWaitingUseGetsTheSlotThatABufferGivesBack(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{UseSlots: 1}, func(t *testing.T, p *locked.Pool) {
		open := fill(t, p, 32)
		// Larger than what is kept for Use.
		errs := make(chan error, 1)
		go func() { errs <- p.Use(ctx, os.Getpagesize()+1, put("a secret"), nop) }()
		synctest.Wait()
		if n := p.Stats().Waiters; n != 1 {
			t.Errorf("%d waiters", n)
		}
		for _, b := range open {
			destroy(t, b)
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
	})
}

func TestUseAllocatesNothingAndCallsTheSystemForNothing(t *testing.T) {
	p := newPool(t, locked.Config{UseSlots: 2})
	secret := []byte("a secret")
	sum := 0
	got := testing.AllocsPerRun(1000, func() {
		err := p.Use(ctx, len(secret), func(data []byte) error {
			copy(data, secret)
			return nil
		}, func(data []byte) error {
			sum += int(data[0])
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	// The race detector's sync.Pool drops at random.
	if got != 0 && !testenv.Race {
		t.Errorf("%v allocations", got)
	}
}
