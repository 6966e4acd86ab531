package locked

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memkeep/memkeep/internal/page"
)

const testPage = 4096

var never = context.Background()

func noop([]byte) error { return nil }

// openAll opens buffers of a page until the budget is in use.
func openAll(t *testing.T, p *Pool) []*Buffer {
	t.Helper()
	var open []*Buffer
	for {
		b, err := p.New(32)
		if errors.Is(err, ErrExhausted) {
			return open
		}
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, b)
	}
}

func destroyAll(t *testing.T, buffers []*Buffer) {
	t.Helper()
	for _, b := range buffers {
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	}
}

func closeAndCheck(t *testing.T, p *Pool, pages *faultyPages) {
	t.Helper()
	pages.failNext(0, "")
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	p.checkInvariants(t)
	if len(pages.mapped) > 0 || p.taken() != 0 {
		t.Errorf("%d runs stay mapped, %d bytes taken", len(pages.mapped), p.taken())
	}
}

// In the bubble time passes only when all wait, so a call that missed what came
// back is seen by the time that passed.
func TestUseMissesNothingThatComesBackAsItBeginsToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 3*testPage, Config{})
		start := time.Now()
		for range 5000 {
			open := openAll(t, p)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := p.Use(never, 32, noop, noop); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() { destroyAll(t, open) })
			wg.Wait()
			if waited := time.Since(start); waited > 0 || t.Failed() {
				t.Fatalf("stood still for %v", waited)
			}
		}
		closeAndCheck(t, p, pages)
	})
}

// The same for what comes back to the stripes, without a lock.
func TestUseMissesNoSlotThatComesBackToTheStripes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{UseSlots: 1})
		open := openAll(t, p)
		start := time.Now()
		for range 5000 {
			var held, comes atomic.Bool
			var wg sync.WaitGroup
			use := func(fn func([]byte) error) {
				if err := p.Use(never, 32, noop, fn); err != nil {
					t.Error(err)
				}
			}
			wg.Go(func() {
				use(func([]byte) error {
					held.Store(true)
					for !comes.Load() {
						runtime.Gosched()
					}
					for range rand.IntN(2000) {
						comes.Load() // a moment, to meet the other anywhere on its way
					}
					return nil
				})
			})
			wg.Go(func() {
				for !held.Load() {
					runtime.Gosched()
				}
				comes.Store(true)
				use(noop)
			})
			wg.Wait()
			if waited := time.Since(start); waited > 0 || t.Failed() {
				t.Fatalf("stood still for %v", waited)
			}
		}
		destroyAll(t, open)
		closeAndCheck(t, p, pages)
	})
}

// However many wait, they are served as fast as slots come back.
func TestCrowdThatWaitsIsServedWithoutAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{UseSlots: 1})
		open := openAll(t, p)
		var wg sync.WaitGroup
		hold := make(chan struct{})
		wg.Go(func() {
			if err := p.Use(never, 32, noop, func([]byte) error { <-hold; return nil }); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		for range 3000 {
			wg.Go(func() {
				if err := p.Use(never, 32, noop, noop); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := p.Stats().Waiters; n != 3000 {
			t.Errorf("%d wait", n)
		}
		start := time.Now()
		close(hold)
		wg.Wait()
		if waited := time.Since(start); waited > 0 {
			t.Errorf("stood still for %v", waited)
		}
		destroyAll(t, open)
		closeAndCheck(t, p, pages)
	})
}

// A slot that is back among the stripes, and not handed on yet, is for a nested call
// that waits, not for one that comes.
func TestNestedCallThatWaitsComesBeforeOneThatComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{UseSlots: 2})
		open := openAll(t, p)
		m := &p.store
		inner := kind{role: forUse, pages: 1, part: spare}
		slotOfUse, err := m.acquire(never, forUse, 1, false)
		if err != nil {
			t.Fatal(err)
		}
		slotOfNested, _, err := m.join(inner, false, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.mapFor(slotOfNested); err != nil {
			t.Fatal(err)
		}
		_, q, err := m.join(inner, true, false)
		if err != nil || q == nil {
			t.Fatalf("%v, %v", q, err)
		}
		m.stripes[kept].put(slotOfUse)
		if s, err := m.acquire(never, forUse, 1, false); !errors.Is(err, ErrExhausted) {
			t.Errorf("%v, %v", s, err)
		}
		synctest.Wait()
		if q.slot != slotOfUse || q.at != nil {
			t.Error("the nested call waits still")
		}
		m.giveBack(slotOfUse)
		m.giveBack(slotOfNested)
		destroyAll(t, open)
		closeAndCheck(t, p, pages)
	})
}

func TestCallThatDoesNotWaitKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 3*testPage, Config{})
		start := time.Now()
		b, err := p.New(32)
		if err != nil {
			t.Fatal(err)
		}
		for range 5000 {
			var wg sync.WaitGroup
			wg.Go(func() {
				for range 20 {
					if _, err := p.New(3*testPage - CanarySize); !errors.Is(err, ErrExhausted) {
						t.Error(err)
					}
				}
			})
			wg.Go(func() {
				if err := p.Use(never, 32, noop, noop); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			if waited := time.Since(start); waited > 0 || t.Failed() {
				t.Fatalf("stood still for %v", waited)
			}
		}
		destroyAll(t, []*Buffer{b})
		closeAndCheck(t, p, pages)
	})
}

func TestUseGetsItsTurnBesideBuffersThatWait(t *testing.T) {
	t.Parallel()
	for _, useSlots := range []int{0, 1, 2} {
		synctest.Test(t, func(t *testing.T) {
			pages := newFaultyPages(t, false)
			p := makePool(pages, testPage, 8*testPage, Config{UseSlots: useSlots})
			ctx, cancel := context.WithCancel(never)
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					for ctx.Err() == nil {
						b, err := p.NewContext(ctx, 32)
						if err != nil {
							break
						}
						time.Sleep(time.Millisecond)
						destroyAll(t, []*Buffer{b})
					}
				})
			}
			synctest.Wait()
			limited, stop := context.WithTimeout(ctx, time.Second)
			if err := p.Use(limited, 32, noop, noop); err != nil {
				t.Errorf("%d slots: %v", useSlots, err)
			}
			stop()
			cancel()
			wg.Wait()
			closeAndCheck(t, p, pages)
		})
	}
}

// Who waits behind buffers for bytes that those leave gets them once no buffer waits.
func TestUseGetsWhatTheLastBufferThatWaitsLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{UseSlots: 1})
		open := openedOf(t, p, 2, 5)
		hold := make(chan error)
		go func() { _ = p.Use(never, 32, noop, func([]byte) error { return <-hold }) }()
		synctest.Wait()
		var wg sync.WaitGroup
		buffer := make(chan *Buffer, 1)
		wg.Go(func() {
			b, err := p.NewContext(never, 32)
			if err != nil {
				t.Error(err)
			}
			buffer <- b
		})
		synctest.Wait()
		start := time.Now()
		wg.Go(func() {
			if err := p.Use(never, 32, noop, noop); err != nil || time.Since(start) > 0 {
				t.Errorf("two pages came back, one buffer waited: %v after %v", err, time.Since(start))
			}
		})
		synctest.Wait()
		destroyAll(t, open[:1])
		wg.Wait()
		destroyAll(t, append(open[1:], <-buffer))
		close(hold)
		synctest.Wait()
		closeAndCheck(t, p, pages)
	})
}

// Regions may leave buffers less than what may be mapped twice.
func TestBufferGetsTheLastPageBesideRegions(t *testing.T) {
	t.Parallel()
	for _, useSlots := range []int{0, 2} {
		pages := newFaultyPages(t, true)
		p := makePool(pages, testPage, 128*testPage, Config{UseSlots: useSlots})
		r, err := p.NewRegion(p.store.size[shared] - testPage)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := p.New(p.Stats().LargestSecret); err != nil {
			t.Errorf("%d slots: the largest secret: %v", useSlots, err)
		} else {
			destroyAll(t, []*Buffer{b})
		}
		if err := r.Free(); err != nil {
			t.Error(err)
		}
		closeAndCheck(t, p, pages)
	}
}

// slowPages is a backend whose next call of Map says that it began, and waits.
type slowPages struct {
	*faultyPages
	begun, goOn chan struct{}
}

func (s *slowPages) Map(size int, dual bool) (*page.Run, error) {
	if s.begun != nil {
		close(s.begun)
		s.begun = nil
		<-s.goOn
	}
	return s.faultyPages.Map(size, dual)
}

// What a region leaves no room for waits in nobody's way, also while the region comes.
func TestRegionThatComesLeavesNobodyWaitingForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		pages := &slowPages{newFaultyPages(t, false), begun, make(chan struct{})}
		p := makePool(pages, testPage, 8*testPage, Config{})
		region := make(chan *Region, 1)
		go func() {
			r, err := p.NewRegion(testPage)
			if err != nil {
				t.Error(err)
			}
			region <- r
		}()
		<-begun
		whole := make(chan error, 1)
		limited, cancel := context.WithTimeout(never, time.Minute)
		defer cancel()
		go func() {
			_, err := p.NewContext(limited, p.store.total-CanarySize)
			whole <- err
		}()
		synctest.Wait()
		close(pages.goOn)
		r := <-region
		if err := <-whole; limited.Err() != nil {
			t.Errorf("waited for what may never be: %v", err)
		} else if _, ok := errors.AsType[*LimitError](err); !ok {
			t.Error(err)
		}
		if err := r.Free(); err != nil {
			t.Error(err)
		}
		closeAndCheck(t, p, pages.faultyPages)
	})
}

// What Use keeps for itself is of no use to buffers: those that wait slow no Use down.
func TestUseFindsItsSlotWithoutALockBesideBuffersThatWait(t *testing.T) {
	t.Parallel()
	pages := newFaultyPages(t, false)
	p := makePool(pages, testPage, 8*testPage, Config{UseSlots: 1})
	if err := p.Use(never, 32, noop, noop); err != nil {
		t.Fatal(err)
	}
	open := openAll(t, p)
	ctx, cancel := context.WithCancel(never)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := p.NewContext(ctx, 32); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for p.Stats().Waiters == 0 {
		runtime.Gosched()
	}
	p.store.mu.Lock()
	done := make(chan error, 1)
	go func() { done <- p.Use(never, 32, noop, noop) }()
	select {
	case err := <-done:
		done <- err
	case <-time.After(time.Minute):
		t.Error("Use takes the lock")
	}
	p.store.mu.Unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
	cancel()
	wg.Wait()
	destroyAll(t, open)
	closeAndCheck(t, p, pages)
}

// stickAll destroys buffers whose pages the system does not take back.
func stickAll(t *testing.T, pages *faultyPages, buffers []*Buffer) {
	t.Helper()
	for _, b := range buffers {
		// The view can't be closed, so the pages have to go, which they can't either.
		pages.failNext(1000, "")
		if err := b.Destroy(); err == nil {
			t.Error("destroyed without its pages")
		}
		pages.failNext(0, "")
	}
}

func TestPagesThatTheSystemTakesBackLateServeWhoWaits(t *testing.T) {
	t.Parallel()
	for _, useSlots := range []int{0, 2} {
		for name, end := range map[string]func(*Pool) error{
			"Purge":          (*Pool).Purge,
			"a quiet period": func(p *Pool) error { time.Sleep(2 * p.store.quiet); return nil },
		} {
			synctest.Test(t, func(t *testing.T) {
				pages := newFaultyPages(t, false)
				p := makePool(pages, testPage, 8*testPage, Config{UseSlots: useSlots})
				done := make(chan error)
				hold := make(chan error)
				for range p.Kept() {
					go func() {
						_ = p.Use(never, 32, noop, func([]byte) error { return <-hold })
					}()
					synctest.Wait()
				}
				stickAll(t, pages, openAll(t, p))
				p.checkInvariants(t)
				go func() { done <- p.Use(never, 32, noop, noop) }()
				synctest.Wait()
				start := time.Now()
				if err := end(p); err != nil {
					t.Error(err)
				}
				err := <-done
				if waited := time.Since(start); err != nil || waited > 2*p.store.quiet {
					t.Errorf("%d slots, %s: %v after %v", useSlots, name, err, waited)
				}
				destroyAll(t, openAll(t, p))
				close(hold)
				synctest.Wait()
				closeAndCheck(t, p, pages)
			})
		}
	}
}

// openedOf opens buffers of so many pages each.
func openedOf(t *testing.T, p *Pool, pages ...int) []*Buffer {
	t.Helper()
	var open []*Buffer
	for _, n := range pages {
		b, err := p.New(n*testPage - CanarySize)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, b)
	}
	return open
}

func TestSlotThatIsIdleForLongestMakesRoom(t *testing.T) {
	t.Parallel()
	for i := range 40 {
		synctest.Test(t, func(t *testing.T) {
			pages := newFaultyPages(t, false)
			p := makePool(pages, testPage, 8*testPage, Config{})
			open := openedOf(t, p, 1, 2)
			first, second := open[i%2], open[1-i%2]
			destroyAll(t, []*Buffer{first})
			time.Sleep(time.Millisecond)
			destroyAll(t, []*Buffer{second})
			large := openedOf(t, p, 6)
			if want := second.at.pages * testPage; p.store.bytes[shared][idle] != want {
				t.Errorf("%d bytes are idle, %d came back last", p.store.bytes[shared][idle], want)
			}
			destroyAll(t, large)
			closeAndCheck(t, p, pages)
		})
	}
}

func TestSweepTakesWhatIsIdleForTheWholeTimeoutAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{})
		open := openedOf(t, p, 1, 2)
		destroyAll(t, open[:1])
		time.Sleep(p.store.quiet * 9 / 10)
		destroyAll(t, open[1:])
		for _, want := range []int{2 * testPage, 0} {
			time.Sleep(p.store.quiet)
			synctest.Wait()
			if n := p.Stats().LockedBytes; n != want {
				t.Errorf("%d bytes are locked, want %d", n, want)
			}
		}
		closeAndCheck(t, p, pages)
	})
}

func TestSlotsThatComeBackAfterCloseAreUnmapped(t *testing.T) {
	t.Parallel()
	for _, size := range []int{32, 2 * testPage} {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 16*testPage, Config{UseSlots: 2})
		err := p.Use(never, 32, noop, func([]byte) error {
			return p.Use(never, size, noop, func([]byte) error { return p.Close() })
		})
		if err != nil {
			t.Error(err)
		}
		if n := len(pages.mapped); n > 0 {
			t.Errorf("%d bytes: %d runs stay mapped", size, n)
		}
		closeAndCheck(t, p, pages)
	}
}

func TestUseOfAClosedPoolFindsNoSlotThatComesBack(t *testing.T) {
	t.Parallel()
	for range 5000 {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{UseSlots: 1})
		var held, closed, back atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := p.Use(never, 32, noop, func([]byte) error {
				held.Store(true)
				for !closed.Load() {
					runtime.Gosched()
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			back.Store(true)
		})
		for !held.Load() {
			runtime.Gosched()
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		closed.Store(true)
		for !back.Load() {
			if err := p.Use(never, 32, noop, noop); !errors.Is(err, ErrClosed) {
				t.Fatalf("Use after Close: %v", err)
			}
			runtime.Gosched()
		}
		wg.Wait()
		closeAndCheck(t, p, pages)
	}
}

func TestCloseStopsTheTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{})
		destroyAll(t, openAll(t, p))
		closeAndCheck(t, p, pages)
		if p.store.expiry == nil || p.store.expiry.Stop() {
			t.Error("a timer runs on")
		}
	})
}

func TestRefusalEndsWithTheCauseOfTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{})
		open := openedOf(t, p, 1)
		cause := errors.New("the client went away")
		ctx, cancel := context.WithCancelCause(never)
		pages.failNext(1, "map")
		go func() {
			time.Sleep(time.Millisecond)
			pages.failNext(1, "map")
			cancel(cause)
		}()
		b, err := p.NewContext(ctx, 32)
		if limit, ok := errors.AsType[*LimitError](err); b != nil || !errors.Is(err, cause) || !ok || limit.Err == nil || limit.Size != 32 {
			t.Errorf("%v, %v", b, err)
		}
		destroyAll(t, open)
		closeAndCheck(t, p, pages)
	})
}

// Nobody has a stuck slot in hand, so nothing will come back: there is no reason to wait.
func TestRefusalBesideAStuckSlotIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{})
		stickAll(t, pages, openedOf(t, p, 1))
		pages.failNext(1001, "") // an odd number: the next mapping lacks locked memory
		start := time.Now()
		b, err := p.NewContext(never, 32)
		if _, ok := errors.AsType[*LimitError](err); b != nil || !ok || errors.Is(err, ErrExhausted) {
			t.Errorf("%v, %v", b, err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("it waited %v", waited)
		}
		closeAndCheck(t, p, pages)
	})
}

// The kept slot of Use is stuck and buffers have the rest: no slot can be mapped,
// and that is no internal error.
func TestUseWithoutAnythingToMapIsExhausted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, true)
		p := makePool(pages, testPage, 8*testPage, Config{UseSlots: 1})
		if p.store.dualUse {
			t.Fatal("a use slot that no call protects")
		}
		open := openAll(t, p)
		err := p.Use(never, 32, noop, func([]byte) error {
			pages.failNext(1000, "")
			return nil
		})
		if err == nil {
			t.Error("given back without its pages")
		}
		pages.failNext(1000, "unmap")
		if err := p.Use(never, 32, noop, noop); !errors.Is(err, ErrExhausted) {
			t.Errorf("Use: %v", err)
		}
		if r, err := p.NewRegion(32); err == nil {
			t.Error(r.Free())
		} else if !errors.Is(err, ErrExhausted) {
			t.Errorf("NewRegion: %v", err)
		}
		pages.failNext(0, "")
		if err := p.Use(never, 32, noop, noop); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		destroyAll(t, open)
		closeAndCheck(t, p, pages)
	})
}

// The spare of a nested call is lost while another nested call waits for it.
func TestLostSpareIsReplacedForWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, true)
		p := makePool(pages, testPage, 11*testPage, Config{UseSlots: 2})
		if p.store.dualUse || p.store.size[spare] == 0 {
			t.Fatalf("%+v", p.store.size)
		}
		first, outer, inner := make(chan error), make(chan error), make(chan error)
		served := make(chan error, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = p.Use(never, 32, noop, func([]byte) error {
				<-first
				if err := p.Use(never, 32, noop, func([]byte) error {
					<-inner
					pages.failNext(2, "protect")
					return nil
				}); err == nil {
					t.Error("the spare was given back")
				}
				pages.failNext(0, "")
				return <-outer
			})
		})
		synctest.Wait()
		wg.Go(func() {
			_ = p.Use(never, 32, noop, func([]byte) error {
				<-first
				time.Sleep(time.Millisecond) // the other has the spare
				served <- p.Use(never, 32, noop, noop)
				return nil
			})
		})
		synctest.Wait()
		open := openAll(t, p)
		close(first)
		time.Sleep(time.Second)
		start := time.Now()
		close(inner)
		if err := <-served; err != nil || time.Since(start) > 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(outer)
		wg.Wait()
		destroyAll(t, open)
		closeAndCheck(t, p, pages)
	})
}

func TestNoSlotIsLostAmongTheStripes(t *testing.T) {
	t.Parallel()
	const slots = 4
	var s stripes
	s.init(slots)
	var wg sync.WaitGroup
	for i := range slots {
		s.put(&slot{place: uint32(i)})
	}
	for range 2 * slots {
		wg.Go(func() {
			for range 100_000 {
				if one := s.get(); one != nil {
					one.place += uint32(rand.IntN(slots))
					s.put(one)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for s.get() != nil {
		n++
	}
	if n != slots {
		t.Errorf("%d of %d slots are left", n, slots)
	}
}

func TestEverySlotKeptForUseHasAPlace(t *testing.T) {
	t.Parallel()
	p := makePool(newFaultyPages(t, false), testPage, 1<<30, Config{UseSlots: 5000})
	if places := len(p.store.stripes[kept].at); p.Kept()-1 > places {
		t.Errorf("%d slots, %d places", p.Kept()-1, places)
	}
}

func TestPoolThatKeepsNothingForUseHasNoStripes(t *testing.T) {
	t.Parallel()
	p := makePool(newFaultyPages(t, false), testPage, 8*testPage, Config{})
	for part := range parts {
		if n := len(p.store.stripes[part].at); n > 0 {
			t.Errorf("%d stripes of part %d", n, part)
		}
	}
}

func TestBufferIsConsumedOnce(t *testing.T) {
	t.Parallel()
	p := makePool(newFaultyPages(t, false), testPage, 8*testPage, Config{})
	for range 20_000 {
		b, err := p.New(32)
		if err != nil {
			t.Fatal(err)
		}
		var consumed atomic.Int32
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for b.Consume(noop) != nil {
					if consumed.Load() > 0 {
						return
					}
					runtime.Gosched()
				}
				consumed.Add(1)
			})
		}
		wg.Wait()
		if n := consumed.Load(); n != 1 {
			t.Fatalf("consumed %d times", n)
		}
	}
}

// A pool may outlive the bubble of a test that first used it.
func TestPoolGoesOnInAnotherBubble(t *testing.T) {
	t.Parallel()
	p := makePool(newFaultyPages(t, false), testPage, 8*testPage, Config{})
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			destroyAll(t, openAll(t, p))
			time.Sleep(3 * p.store.quiet)
			synctest.Wait()
			if n := p.Stats().LockedBytes; n > 0 {
				t.Errorf("%d bytes stay locked", n)
			}
		})
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// Many callers at once, and system calls that fail at random, singly and in bursts.
// Whenever all have come to rest, everything adds up.
func TestStormOfCallsAndFaultsLosesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			pages := newFaultyPages(t, seed%2 == 0)
			p := makePool(pages, testPage, (6+random.IntN(60))*testPage, Config{UseSlots: int(seed % 5)})
			for range 8 {
				var wg sync.WaitGroup
				for range 16 {
					own := rand.New(rand.NewPCG(random.Uint64(), 2))
					wg.Go(func() { storm(t, p, pages, own) })
				}
				wg.Wait()
				pages.failNext(0, "")
				p.checkInvariants(t)
				if s := p.Stats(); s.OpenBuffers != 0 || s.Waiters != 0 || s.LockedBytes != pages.locked {
					t.Errorf("at rest: %+v, %d bytes mapped", s, pages.locked)
				}
				if err := p.Purge(); err != nil {
					t.Errorf("Purge: %v", err)
				}
				if n := p.taken(); n != 0 {
					t.Errorf("%d bytes of the budget are lost", n)
				}
				destroyAll(t, openAll(t, p))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			// Close beside it all.
			var wg sync.WaitGroup
			for range 16 {
				own := rand.New(rand.NewPCG(random.Uint64(), 2))
				wg.Go(func() { storm(t, p, pages, own) })
			}
			wg.Go(func() { _ = p.Close() })
			wg.Wait()
			closeAndCheck(t, p, pages)
		})
	}
}

// storm makes random calls and gives everything back.
func storm(t *testing.T, p *Pool, pages *faultyPages, random *rand.Rand) {
	pause := func([]byte) error {
		if random.IntN(4) == 0 {
			time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
		}
		return nil
	}
	for range 40 {
		size := 1 + random.IntN(2*testPage)
		if random.IntN(8) == 0 {
			pages.failNext(1+random.IntN(8), []string{"", "", "map", "unmap", "protect"}[random.IntN(5)])
		}
		ctx, cancel := never, func() {}
		if random.IntN(3) == 0 {
			ctx, cancel = context.WithTimeout(never, time.Duration(random.IntN(4))*time.Millisecond)
		}
		switch random.IntN(8) {
		case 0, 1:
			if b, err := p.New(size); err == nil {
				_ = pause(nil)
				_ = b.Destroy()
			}
		case 2:
			if b, err := p.NewFrozenContext(ctx, size, pause); err == nil {
				_ = b.Melt()
				_ = b.Destroy()
			}
		case 3:
			if r, err := p.NewRegion(size); err == nil {
				_ = r.Free()
			}
		case 4:
			_ = p.Use(ctx, size, pause, func([]byte) error { return p.Use(ctx, 32, noop, pause) })
		case 5:
			_ = p.Use(ctx, 32, noop, func([]byte) error {
				if random.IntN(2) == 0 {
					runtime.Gosched()
				}
				return errors.New("mine")
			})
			if random.IntN(20) == 0 {
				_ = p.Purge()
			}
		default:
			_ = p.Use(ctx, 32, pause, pause)
		}
		cancel()
	}
}

func TestCallThatTheSystemRefusesKeepsItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 4*testPage, Config{})
		held := openedOf(t, p, 1) // what comes back one day
		var wg sync.WaitGroup
		served := make(chan string, 2)
		wait := func(name string, pages int) {
			wg.Go(func() {
				b, err := p.NewContext(never, pages*testPage-CanarySize)
				if err != nil {
					t.Error(err)
					return
				}
				served <- name
				destroyAll(t, []*Buffer{b})
			})
			synctest.Wait()
		}
		pages.failNext(1, "map")
		wait("the first", 2)
		others := openedOf(t, p, 3)
		wait("the second", 3)
		time.Sleep(2 * retryInterval)
		destroyAll(t, others)
		wg.Wait()
		if name := <-served; name != "the first" {
			t.Errorf("%s is served first", name)
		}
		destroyAll(t, held)
		closeAndCheck(t, p, pages)
	})
}

// A mapping is refused half-way, and then so is unmapping what there is of it, twice. It
// is counted, and taken back later.
func TestWhatIsLeftOfARefusedMappingIsCountedAndTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pages := newFaultyPages(t, false)
		p := makePool(pages, testPage, 8*testPage, Config{})
		before := p.Stats().LockedBytes
		pages.failNext(3, "")
		if b, err := p.New(32); err == nil {
			t.Fatal("a buffer without pages", b)
		}
		if n := p.Stats().LockedBytes; n != before+testPage {
			t.Errorf("%d bytes are locked, and %d before", n, before)
		}
		time.Sleep(2 * DefaultIdleTimeout)
		synctest.Wait()
		if n := p.Stats().LockedBytes; n != before {
			t.Errorf("%d bytes are still locked, and %d before", n, before)
		}
		closeAndCheck(t, p, pages)
	})
}
