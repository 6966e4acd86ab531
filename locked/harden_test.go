package locked_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/locked"
)

var everything = locked.Hardening{NoCoreDumps: true, NotDumpable: true, LockAll: true}

func TestHardenTakesWhatIsNamedAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, want := range []locked.Hardening{
		{}, {NoCoreDumps: true}, {NotDumpable: true}, {LockAll: true}, {NoCoreDumps: true, LockAll: true}, everything,
	} {
		var called locked.Hardening
		taken, err := locked.HardenWith(want,
			func() error { called.NoCoreDumps = true; return nil },
			func() error { called.NotDumpable = true; return nil },
			func() error { called.LockAll = true; return nil })
		if err != nil || taken != want || called != want {
			t.Errorf("asked for %+v: took %+v, says %+v, %v", want, called, taken, err)
		}
	}
}

func TestMeasureThatFailsIsNamedAndTheOthersAreTaken(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fine := func() error { return nil }
	fails := func() error { return broken }
	for _, c := range []struct {
		measures [3]func() error
		taken    locked.Hardening
		named    []string
	}{
		{[3]func() error{fails, fine, fine}, locked.Hardening{NotDumpable: true, LockAll: true}, []string{"NoCoreDumps"}},
		{[3]func() error{fine, fails, fine}, locked.Hardening{NoCoreDumps: true, LockAll: true}, []string{"NotDumpable"}},
		{[3]func() error{fine, fine, fails}, locked.Hardening{NoCoreDumps: true, NotDumpable: true}, []string{"LockAll"}},
		{[3]func() error{fails, fails, fails}, locked.Hardening{}, []string{"NoCoreDumps", "NotDumpable", "LockAll"}},
	} {
		taken, err := locked.HardenWith(everything, c.measures[0], c.measures[1], c.measures[2])
		if taken != c.taken || !errors.Is(err, broken) {
			t.Errorf("%v fail: took %+v, %v", c.named, taken, err)
		}
		var first *locked.HardenError
		if !errors.As(err, &first) || first.Measure != c.named[0] || first.Err != broken {
			t.Errorf("%v fail: the first error is %+v", c.named, first)
		}
		for _, name := range c.named {
			if !strings.Contains(err.Error(), name+": broken") {
				t.Errorf("%q does not name %s", err, name)
			}
		}
	}
}

func TestLockAllIsRefusedWhereALimitWouldEndTheProgramLater(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limits page.Limits
		locks  bool
	}{
		{"exempt", page.Limits{Exempt: true}, true},
		{"unlimited", page.Limits{Soft: unlimitedBytes, Hard: unlimitedBytes}, true},
		{"a soft limit that can be raised", page.Limits{Soft: 8 << 20, Hard: unlimitedBytes}, true},
		{"docker's 64 KiB", page.Limits{Soft: 64 << 10, Hard: 64 << 10}, false},
		{"a large limit", page.Limits{Soft: 1 << 40, Hard: 1 << 40}, false},
		{"nothing", page.Limits{}, false},
	} {
		soft, err := locked.LiftUnder(c.limits)
		if (err == nil) != c.locks {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.locks && !c.limits.Exempt && soft != unlimitedBytes {
			t.Errorf("%s: locked under a soft limit of %d", c.name, soft)
		}
		if err != nil && !c.locks && !strings.Contains(err.Error(), "limit is ") {
			t.Errorf("%s: %q gives no figures", c.name, err)
		}
	}
}

const unlimitedBytes = locked.Unlimited

func TestHardenOfNothingChangesNothing(t *testing.T) {
	t.Parallel()
	if taken, err := locked.Harden(locked.Hardening{}); err != nil || taken != (locked.Hardening{}) {
		t.Errorf("%+v, %v", taken, err)
	}
}
