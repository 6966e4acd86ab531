package sigframe

import (
	"errors"
	"testing"
	"time"
)

// fake is a sweeper with a clock of its own, that counts and signals nobody.
type fake struct {
	sweeper
	clock time.Time
	sent  int
	err   error
}

func newFake() *fake {
	f := &fake{clock: time.Unix(1e9, 0)}
	f.now = func() time.Time { return f.clock }
	f.all = func() error { f.sent++; return f.err }
	return f
}

func (f *fake) expect(t *testing.T, what string, interval time.Duration, want bool) {
	t.Helper()
	before := f.sent
	swept, _ := f.sweep(interval)
	if swept != want || (f.sent != before) != want {
		t.Errorf("%s: swept is %v after %d signals", what, swept, f.sent-before)
	}
}

func TestNothingIsSentUnlessSomethingRan(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.expect(t, "at rest", 0, false)
	f.mark()
	f.mark()
	f.expect(t, "after an operation", 0, true)
	f.expect(t, "once more", 0, false)
	f.clock = f.clock.Add(time.Hour)
	f.expect(t, "much later", Interval, false)
}

func TestTimersSweepAtMostOnceAnIntervalAndForgetNothing(t *testing.T) {
	t.Parallel()
	f := newFake()
	start := f.clock
	// A thousand sessions' timers, each half a second, all of them at work.
	for tick := range 10_000 {
		f.clock = start.Add(time.Duration(tick) * Interval / 1000)
		f.mark()
		_, _ = f.sweep(Interval)
	}
	if f.sent != 10 {
		t.Errorf("%d sweeps in ten intervals", f.sent)
	}
	if !f.marked.Load() {
		t.Fatal("what ran since the last sweep is forgotten")
	}
	f.clock = start.Add(10 * Interval)
	f.expect(t, "the first timer of the next interval", Interval, true)
}

func TestASweepThatIsAskedForDoesNotWaitUntilItIsDue(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.mark()
	f.expect(t, "a first one", Interval, true)
	f.mark()
	f.expect(t, "a timer right after it", Interval, false)
	f.expect(t, "a reset right after it", 0, true)
}

func TestASweepThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.err = errors.New("no /proc")
	f.mark()
	if swept, err := f.sweep(0); !swept || !errors.Is(err, f.err) {
		t.Errorf("%v, %v", swept, err)
	}
	f.err = nil
	f.expect(t, "the next one", 0, true)
}

func TestAClockThatGoesBackMakesASweepDue(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.mark()
	f.expect(t, "a first one", Interval, true)
	f.clock = f.clock.Add(-time.Hour)
	f.mark()
	f.expect(t, "one before it", Interval, true)
}

// A mark that comes while the signals go out is for the next sweep.
func TestAMarkDuringASweepIsNotLost(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.all = func() error { f.sent++; f.mark(); return nil }
	f.mark()
	f.expect(t, "the sweep", 0, true)
	f.expect(t, "the next one", 0, true)
}
