package locked_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

var limit = testenv.SmallLimit()

// counted returns the best backend whose pages the kernel counts together with what
// mlock locks. Some releases of 6.1 count those of memfd_secret on their own.
func counted() locked.Backend {
	b, err := page.Open(page.MemfdSecret, nil)
	if err == nil && b.Charge(page.Size(), true) == page.Size() {
		return locked.Memfd
	}
	return locked.BestBackend
}

func TestPoolStaysWithinTheRealLimit(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	for _, backend := range []locked.Backend{locked.MemfdSecret, locked.Memfd, locked.Mlock} {
		p, err := locked.NewPool(locked.Config{Backend: backend, UseSlots: 2})
		if errors.Is(err, locked.ErrUnsupported) {
			t.Logf("SKIPPED: %v", err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Stats().Budget; got != limit {
			t.Errorf("%s: a budget of %d", backend, got)
		}
		open := fill(t, p, 32)
		if err := p.Use(ctx, 32, nop, nop); err != nil {
			t.Errorf("%s: Use with %d buffers open: %v", backend, len(open), err)
		}
		if now, stats := testenv.LockedBytes(t), p.Stats().LockedBytes; now > limit || now != stats {
			t.Errorf("%s: %d bytes locked, Stats says %d", backend, now, stats)
		}
		t.Logf("%s: %d buffers of one page within %d bytes, besides the slots of Use", backend, len(open), limit)
		closePool(t, p)
		if now := testenv.LockedBytes(t); now != 0 {
			t.Errorf("%s: %d bytes locked after Close", backend, now)
		}
	}
}

func TestRefusalByTheSystemIsALimitErrorAndWhatIsOpenGoesOn(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	size := os.Getpagesize()
	p := openPool(t, locked.Config{Backend: counted(), UseSlots: 2})
	first := newBuffer(t, p, 32)
	copy(first.Bytes(), "a secret")

	// Somebody else in this process locks the rest.
	other, err := unix.Mmap(-1, 0, limit-testenv.LockedBytes(t), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mlock(other); err != nil {
		t.Fatal(err)
	}
	_, err = p.New(32)
	var refused *locked.LimitError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	if refused.Requested < size || refused.Locked != p.Stats().LockedBytes || refused.Soft != uint64(limit) || refused.Hard != uint64(limit) || refused.Err == nil {
		t.Errorf("figures: %+v", refused)
	}
	for _, remedy := range []string{"ulimit -l", "LimitMEMLOCK", "--ulimit memlock", "CAP_IPC_LOCK"} {
		if !strings.Contains(refused.Remedy(), remedy) {
			t.Errorf("%q does not name %s", refused.Remedy(), remedy)
		}
	}
	if last := p.Stats().LastLimitError; last == nil || last.Err != refused.Err {
		t.Errorf("Stats says %v", last)
	}
	if string(first.Bytes()[:8]) != "a secret" {
		t.Error("the open buffer lost its bytes")
	}

	// Who may wait gets the slot that comes back.
	waiter := func() error {
		b, err := p.NewContext(ctx, 32)
		if err == nil {
			err = b.Destroy()
		}
		return err
	}
	if err := servedAfter(t, p, waiter, func() { destroy(t, first) }); err != nil {
		t.Errorf("the waiter: %v", err)
	}

	// And when the others give up their part, the pool grows again.
	if err := unix.Munmap(other); err != nil {
		t.Fatal(err)
	}
	for _, b := range fill(t, p, 32) {
		destroy(t, b)
	}
}

func TestSoftLimitIsRaisedToTheHardOneWhenThatHelps(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	low := unix.Rlimit{Cur: 0, Max: uint64(limit)}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low); err != nil {
		t.Fatal(err)
	}
	before, err := locked.CurrentLimits()
	if err != nil || before.Soft != 0 || before.Hard != uint64(limit) || before.Exempt || before.PageSize != os.Getpagesize() || before.Backend == "" {
		t.Errorf("%+v, %v", before, err)
	}
	budget := limit / 2
	p := openPool(t, locked.Config{LockedBytes: budget})
	if got := p.Stats().Budget; got != budget {
		t.Errorf("a budget of %d, asked for %d", got, budget)
	}
	destroy(t, newBuffer(t, p, 32))
	// No more than the budget needs.
	if after, err := locked.CurrentLimits(); err != nil || after.Soft != uint64(budget) {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestLimitOfZero(t *testing.T) {
	if !testenv.UnderLimit(t, 0) {
		return
	}
	TestProcessThatMayLockNothingGetsALimitErrorThatSaysWhatToDo(t)
}

// With pages of 64 KiB that is what docker lets a process lock.
func TestLimitOfExactlyOnePageIsAnErrorAndNoHang(t *testing.T) {
	one := os.Getpagesize()
	if !testenv.UnderLimit(t, one) {
		return
	}
	for _, backend := range []locked.Backend{locked.MemfdSecret, locked.Memfd, locked.Mlock} {
		_, err := locked.NewPool(locked.Config{Backend: backend, UseSlots: 2})
		if errors.Is(err, locked.ErrUnsupported) {
			t.Logf("SKIPPED: %v", err)
			continue
		}
		var refused *locked.LimitError
		if !errors.As(err, &refused) || refused.Requested != 2*one || refused.Budget != one || refused.Soft != uint64(one) {
			t.Errorf("%s: a pool for Use and buffers: %v", backend, err)
		} else if !strings.Contains(refused.Remedy(), "ulimit -l") {
			t.Errorf("%s: %q is no remedy", backend, refused.Remedy())
		}

		p := openPool(t, locked.Config{Backend: backend})
		b := newBuffer(t, p, 32)
		if _, err := p.New(32); !errors.Is(err, locked.ErrExhausted) {
			t.Errorf("%s: a second buffer: %v", backend, err)
		}
		if _, err := p.New(one); !errors.As(err, &refused) || refused.Requested != 2*one {
			t.Errorf("%s: a buffer of two pages: %v", backend, err)
		}
		if now := testenv.LockedBytes(t); now != one {
			t.Errorf("%s: %d bytes locked", backend, now)
		}
		waited, stop := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- p.Use(waited, 32, nop, nop) }()
		for p.Stats().Waiters == 0 {
			runtime.Gosched()
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: Use while the only page is taken: %v", backend, err)
		}
		destroy(t, b)
		if err := p.Use(ctx, 32, nop, nop); err != nil {
			t.Errorf("%s: Use of the page that came back: %v", backend, err)
		}
		closePool(t, p)
	}
}

func TestPoolGetsWhatAnotherInTheSameProcessGivesUp(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	a := openPool(t, locked.Config{UseSlots: 1})
	kept := newBuffer(t, a, 32)
	defer func() { destroy(t, kept) }()
	b, err := locked.NewPool(locked.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var refused *locked.LimitError
	for err == nil {
		_, err = b.New(32)
	}
	if !errors.As(err, &refused) {
		t.Fatalf("filling the other: %v", err)
	}
	use := func() error { return a.Use(ctx, 32, nop, nop) }
	err = servedAfter(t, a, use, func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Errorf("though the other gave everything up: %v", err)
	}
}

// servedAfter returns what comes of a call that waits until release has given back what
// it needs. A call that the system refuses waits for a second, which may be over before
// release is: then it is made again.
func servedAfter(t *testing.T, p *locked.Pool, call func() error, release func()) error {
	t.Helper()
	var released atomic.Bool
	done := make(chan error, 1)
	go func() {
		const patience = 100
		for i := 1; ; i++ {
			last := released.Load()
			if err := call(); err == nil || last || i == patience || !errors.Is(err, locked.ErrExhausted) {
				done <- err
				return
			}
		}
	}()
	for p.Stats().Waiters == 0 {
		select {
		case err := <-done:
			t.Fatalf("did not wait: %v", err)
		default:
		}
	}
	release()
	released.Store(true)
	return <-done
}

func TestWaitThatTheSystemRefusesEndsWithTheReason(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	a := openPool(t, locked.Config{UseSlots: 1})
	kept := newBuffer(t, a, 32)
	defer func() { destroy(t, kept) }()
	b := openPool(t, locked.Config{})
	var err error
	for err == nil {
		_, err = b.New(32)
	}
	var refused *locked.LimitError
	if err := a.Use(ctx, 32, nop, nop); !errors.As(err, &refused) || !errors.Is(err, locked.ErrExhausted) {
		t.Errorf("got %v", err)
	}
}
