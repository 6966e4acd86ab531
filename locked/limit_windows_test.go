package locked_test

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// refusingPool returns a pool on a Windows that, from when refuse is set,
// answers that the working-set quota is used up and may not be raised: what wine
// never does.
func refusingPool(t *testing.T, refuse *atomic.Bool) *locked.Pool {
	t.Helper()
	b, err := page.Open("", func(call string) error {
		switch {
		case !refuse.Load():
			return nil
		case call == "lock":
			return windows.ERROR_WORKING_SET_QUOTA
		case call == "SetProcessWorkingSetSizeEx":
			return windows.ERROR_PRIVILEGE_NOT_HELD
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := locked.NewPoolOn(b, locked.Config{LockedBytes: small(), UseSlots: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, p) })
	return p
}

func TestUsedUpWorkingSetQuotaIsALimitErrorAndWhatIsOpenGoesOn(t *testing.T) {
	// Not parallel: what others lock makes the process's limits grow.
	var refuse atomic.Bool
	p := refusingPool(t, &refuse)
	first := newBuffer(t, p, 32)
	copy(first.Bytes(), "a secret")

	refuse.Store(true)
	_, err := p.New(32)
	var refused *locked.LimitError
	if !errors.As(err, &refused) || !errors.Is(err, windows.ERROR_WORKING_SET_QUOTA) || !errors.Is(err, windows.ERROR_PRIVILEGE_NOT_HELD) {
		t.Fatalf("got %v", err)
	}
	limits, err := locked.CurrentLimits()
	if err != nil {
		t.Fatal(err)
	}
	if refused.Requested != os.Getpagesize() || refused.Locked != p.Stats().LockedBytes || refused.Budget != small() ||
		refused.Soft != limits.Soft || refused.Hard != limits.Hard {
		t.Errorf("figures: %+v, limits %+v", refused, limits)
	}
	for _, words := range []string{"minimum working set", "job object", "Increase a process working set"} {
		if said := refused.Error() + refused.Remedy(); !strings.Contains(said, words) {
			t.Errorf("%q does not say %q", said, words)
		}
	}
	if strings.Contains(refused.Remedy(), "ulimit") {
		t.Errorf("%q is another system's remedy", refused.Remedy())
	}
	if last := p.Stats().LastLimitError; last == nil || last.Err != refused.Err {
		t.Errorf("Stats says %v", last)
	}

	// It never lost its lock: nothing has to be locked for these.
	if err := errors.Join(first.Freeze(), first.Melt()); err != nil || string(first.Bytes()[:8]) != "a secret" {
		t.Errorf("the open buffer: %v", err)
	}
	destroy(t, first)
	refuse.Store(false)
	destroy(t, newBuffer(t, p, 32))
}

// An idle slot has lost its lock, which may be refused when it is used again.
func TestSlotThatCannotBeLockedAgainIsNotHandedOut(t *testing.T) {
	// Not parallel: the slot is unmapped, and another test's may be mapped in its place.
	var refuse atomic.Bool
	p := refusingPool(t, &refuse)
	first := newBuffer(t, p, 32)
	stale := first.Bytes()
	destroy(t, first)
	if err := p.Use(ctx, 32, put("a secret"), nop); err != nil {
		t.Fatal(err)
	}

	refuse.Store(true)
	var refused *locked.LimitError
	if _, err := p.NewFrozen(32, put("a secret")); !errors.As(err, &refused) {
		t.Errorf("New: %v", err)
	}
	testenv.MustFault(t, "reading a slot that is not locked", func() { testenv.Touch(stale) })
	refuse.Store(false)
	b, err := p.NewFrozen(32, put("a secret"))
	if err != nil || string(b.Bytes()[:8]) != "a secret" {
		t.Fatalf("when it may be locked again: %v", err)
	}
	destroy(t, b)
	if err := p.Use(ctx, 32, put("a secret"), nop); err != nil {
		t.Error(err)
	}
}

func TestBytesThatACrashReportMayHoldShowInStats(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	first, second := newBuffer(t, p, 32), newBuffer(t, p, 32)
	r, err := p.NewRegion(32)
	if err != nil {
		t.Fatal(err)
	}
	missing := windows.NewLazySystemDLL("kernel32.dll").NewProc("WerRegisterExcludedMemoryBlock").Find() != nil
	s := p.Stats()
	want := 0
	if missing {
		want = s.LockedBytes
	}
	if s.DumpableBytes != want {
		t.Errorf("%d bytes dumpable of %d, the function is missing: %v", s.DumpableBytes, s.LockedBytes, missing)
	}
	destroy(t, first)
	destroy(t, second)
	if err := errors.Join(r.Free(), p.Close()); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.DumpableBytes != 0 {
		t.Errorf("%d bytes dumpable after Close", s.DumpableBytes)
	}
}

func TestBudgetIsNotCutToAWorkingSetThatMayGrow(t *testing.T) {
	// Not parallel: it watches the whole process.
	limits, err := locked.CurrentLimits()
	if err != nil {
		t.Fatal(err)
	}
	if limits.Hard != locked.Unlimited {
		t.Skipf("SKIPPED: this process's working set may not grow beyond %d bytes", limits.Hard)
	}
	want := int(limits.Soft) + 16*os.Getpagesize()
	p, err := locked.NewPool(locked.Config{LockedBytes: want})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Stats().Budget; got != want/os.Getpagesize()*os.Getpagesize() {
		t.Errorf("a budget of %d, asked for %d", got, want)
	}
	closePool(t, p)
	if after, err := locked.CurrentLimits(); err != nil || after.Soft != limits.Soft {
		t.Errorf("a pool that locked nothing changed the working set: %+v, %v", after, err)
	}
}
