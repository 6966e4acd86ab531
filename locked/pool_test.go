package locked_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// fill opens buffers until the budget is in use.
func fill(t testing.TB, p *locked.Pool, size int) []*locked.Buffer {
	t.Helper()
	var open []*locked.Buffer
	for {
		b, err := p.New(size)
		if errors.Is(err, locked.ErrExhausted) {
			return open
		}
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, b)
	}
}

func TestBudgetBoundsWhatIsLockedAndComesBackWhole(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		counts := map[int]bool{}
		for range 3 {
			open := fill(t, p, 32)
			counts[len(open)] = true
			if s := p.Stats(); s.OpenBuffers != len(open) || s.LockedBytes > small() {
				t.Errorf("%d buffers open: %+v", len(open), s)
			}
			for _, b := range open {
				copy(b.Bytes(), "still there")
			}
			if _, err := p.New(1); !errors.Is(err, locked.ErrExhausted) {
				t.Errorf("one more: %v", err)
			}
			for _, b := range open {
				if string(b.Bytes()[:11]) != "still there" {
					t.Error("a buffer lost its bytes at the budget")
				}
				destroy(t, b)
			}
		}
		if len(counts) != 1 || counts[0] {
			t.Errorf("the budget held different numbers of buffers: %v", counts)
		}
	})
}

func TestSlotsOfOneSizeMakeRoomForAnother(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		page := os.Getpagesize()
		for range 3 {
			for _, size := range []int{32, 3 * page, 100, 2 * page, page} {
				open := fill(t, p, size)
				if len(open) == 0 {
					t.Errorf("no buffer of %d bytes within %d", size, small())
				}
				for _, b := range open {
					destroy(t, b)
				}
			}
		}
	})
}

func TestRequestBeyondTheBudgetIsALimitErrorNotAWait(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{UseSlots: 2})
	never := context.Background()
	fill := func([]byte) error { return nil }
	for name, call := range map[string]func() error{
		"New":        func() error { _, err := p.New(small()); return err },
		"NewContext": func() error { _, err := p.NewContext(never, small()); return err },
		"NewFrozen":  func() error { _, err := p.NewFrozen(small(), fill); return err },
		"NewRegion":  func() error { _, err := p.NewRegion(small() + 1); return err },
		"Use":        func() error { return p.Use(never, small(), fill, fill) },
	} {
		var limit *locked.LimitError
		if err := call(); !errors.As(err, &limit) || limit.Requested < small() || limit.Budget != small() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := p.New(32); err != nil {
		t.Errorf("the pool does not go on: %v", err)
	} else {
		destroy(t, b)
	}
}

func TestWaitersAreServedInOrderOfArrival(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{}, func(t *testing.T, p *locked.Pool) {
		open := fill(t, p, 32)
		const waiters = 20
		var mu sync.Mutex
		var order []int
		for i := range waiters {
			go func() {
				b, err := p.NewContext(context.Background(), 32)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				destroy(t, b)
			}()
			synctest.Wait()
		}
		if n := p.Stats().Waiters; n != waiters {
			t.Errorf("%d waiters", n)
		}
		// Nobody overtakes those who wait.
		if _, err := p.New(32); !errors.Is(err, locked.ErrExhausted) {
			t.Errorf("New while others wait: %v", err)
		}
		for _, b := range open {
			destroy(t, b)
			synctest.Wait()
		}
		if len(order) != waiters {
			t.Fatalf("%d of %d were served", len(order), waiters)
		}
		for i, who := range order {
			if i != who {
				t.Fatalf("served in the order %v", order)
			}
		}
	})
}

// What is free may be too little for who waits, and enough for who comes.
func TestNobodyOvertakesALargerRequestThatWaits(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{}, func(t *testing.T, p *locked.Pool) {
		open := fill(t, p, 32)
		served := make(chan error)
		go func() {
			b, err := p.NewContext(ctx, 2*os.Getpagesize())
			if err == nil {
				err = b.Destroy()
			}
			served <- err
		}()
		synctest.Wait()
		destroy(t, open[0])
		if _, err := p.New(32); !errors.Is(err, locked.ErrExhausted) {
			t.Errorf("New: %v", err)
		}
		if _, err := p.NewRegion(32); !errors.Is(err, locked.ErrExhausted) {
			t.Errorf("NewRegion: %v", err)
		}
		for _, b := range open[1:] {
			destroy(t, b)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestWaiterWhoseContextEndsLeavesTheQueueClean(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{}, func(t *testing.T, p *locked.Pool) {
		open := fill(t, p, 32)
		cause := errors.New("the client went away")
		ctx, cancel := context.WithCancelCause(context.Background())
		var first, second error
		var got *locked.Buffer
		// The first wants more than the second, who must not wait behind it
		// once it is gone.
		go func() { _, first = p.NewContext(ctx, 2*os.Getpagesize()) }()
		synctest.Wait()
		go func() { got, second = p.NewContext(context.Background(), 32) }()
		synctest.Wait()
		destroy(t, open[0])
		synctest.Wait()
		if got != nil || p.Stats().Waiters != 2 {
			t.Errorf("overtaken: %v, %+v", got, p.Stats())
		}
		cancel(cause)
		synctest.Wait()
		if !errors.Is(first, cause) {
			t.Errorf("the first: %v", first)
		}
		if second != nil || got == nil {
			t.Fatalf("the second: %v", second)
		}
		if n := p.Stats().Waiters; n != 0 {
			t.Errorf("%d waiters", n)
		}
		if _, err := p.NewContext(ctx, 32); !errors.Is(err, cause) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

func TestCloseEndsWaitersBuffersAndLaterCalls(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, small())
	synctest.Test(t, func(t *testing.T) {
		p, err := locked.NewPool(locked.Config{LockedBytes: small(), UseSlots: 2, AllowUnlocked: testenv.AllowUnlocked})
		if err != nil {
			t.Fatal(err)
		}
		open := fill(t, p, 32)
		errs := make(chan error, 1)
		go func() {
			_, err := p.NewContext(context.Background(), 32)
			errs <- err
		}()
		synctest.Wait()
		err = p.Use(context.Background(), 32, func([]byte) error { return nil }, func(data []byte) error {
			closeErr := p.Close()
			testenv.Touch(data) // still this function's
			return closeErr
		})
		if err != nil {
			t.Errorf("Close within Use: %v", err)
		}
		if err := <-errs; !errors.Is(err, locked.ErrClosed) {
			t.Errorf("the waiter: %v", err)
		}
		if _, err := p.New(32); !errors.Is(err, locked.ErrClosed) {
			t.Errorf("New: %v", err)
		}
		if _, err := p.NewRegion(32); !errors.Is(err, locked.ErrClosed) {
			t.Errorf("NewRegion: %v", err)
		}
		if err := p.Use(context.Background(), 32, nil, nil); !errors.Is(err, locked.ErrClosed) {
			t.Errorf("Use: %v", err)
		}
		if err := open[0].Freeze(); !errors.Is(err, locked.ErrDestroyed) {
			t.Errorf("Freeze: %v", err)
		}
		closePool(t, p)
	})
}

func TestUnusedSlotsGoBackAfterTheIdleTimeout(t *testing.T) {
	t.Parallel()
	const quiet = time.Minute
	inBubble(t, small(), locked.Config{UseSlots: 2, IdleTimeout: quiet}, func(t *testing.T, p *locked.Pool) {
		nop := func([]byte) error { return nil }
		use := func() {
			if err := p.Use(context.Background(), 32, nop, func([]byte) error { return p.Use(context.Background(), 16, nop, nop) }); err != nil {
				t.Error(err)
			}
		}
		use()
		kept := newBuffer(t, p, 32)
		for _, b := range fill(t, p, 32) {
			destroy(t, b)
		}
		busy := p.Stats().LockedBytes
		time.Sleep(quiet / 2)
		synctest.Wait()
		if now := p.Stats().LockedBytes; now != busy {
			t.Errorf("%d bytes locked before the quiet period ends, %d while busy", now, busy)
		}
		time.Sleep(2 * quiet)
		synctest.Wait()
		if now := p.Stats().LockedBytes; now >= busy || now == 0 {
			t.Errorf("%d bytes locked after a quiet while, %d before", now, busy)
		}
		copy(kept.Bytes(), "the open one stays")
		use()
		destroy(t, kept)
		time.Sleep(3 * quiet)
		synctest.Wait()
		if now := p.Stats().LockedBytes; now == 0 || now > p.KeptBytes() {
			t.Errorf("%d bytes locked with nothing in use, %d are kept for Use", now, p.KeptBytes())
		}
		use()
	})
}

func TestManyCallersStayWithinTheBudgetAndAllGetTheirTurn(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, UseSlots: 2})
		ctx := context.Background()
		var wg sync.WaitGroup
		for who := range 50 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(who), 1))
				mark := []byte(fmt.Sprintf("caller %2d", who))
				put := func(data []byte) error { copy(data, mark); return nil }
				check := func(data []byte) error {
					if string(data[:len(mark)]) != string(mark) {
						return fmt.Errorf("%q in the hands of %q", data[:len(mark)], mark)
					}
					return nil
				}
				for range 50 {
					size := len(mark) + random.IntN(os.Getpagesize())
					var err error
					if random.IntN(2) == 0 {
						err = p.Use(ctx, size, put, check)
					} else if b, e := p.NewFrozenContext(ctx, size, put); e != nil {
						err = e
					} else {
						err = errors.Join(b.Use(check), b.Destroy())
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestPurgeDestroysEveryOpenBuffer(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	open := fill(t, p, 32)
	stale := open[0].Bytes()
	if err := p.Purge(); err != nil {
		t.Fatal(err)
	}
	testenv.MustFault(t, "reading a purged buffer", func() { testenv.Touch(stale) })
	for _, b := range open {
		if b.Alive() {
			t.Error("a buffer survived")
		}
		destroy(t, b)
	}
	if again := fill(t, p, 32); len(again) != len(open) {
		t.Errorf("room for %d buffers, %d before", len(again), len(open))
	}
}

func TestRegionsCountAndComeBack(t *testing.T) {
	// Not parallel: others may map something where the region was.
	p := newPool(t, locked.Config{})
	r, err := p.NewRegion(100)
	if err != nil {
		t.Fatal(err)
	}
	data := r.Bytes()
	if len(data) != os.Getpagesize() || p.Stats().LockedBytes != os.Getpagesize() {
		t.Errorf("a region of %d bytes, %d locked", len(data), p.Stats().LockedBytes)
	}
	testenv.MustFault(t, "reading past a region", func() { testenv.Touch([]byte{*at(data, len(data))}) })
	testenv.MustFault(t, "reading before a region", func() { testenv.Touch([]byte{*at(data, -1)}) })
	for range 2 {
		if err := r.Free(); err != nil {
			t.Fatal(err)
		}
	}
	if r.Bytes() != nil || p.Stats().LockedBytes != 0 {
		t.Errorf("freed: %d bytes, %+v", len(r.Bytes()), p.Stats())
	}
	testenv.MustFault(t, "reading a freed region", func() { testenv.Touch(data) })
}
