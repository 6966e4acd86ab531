package locked_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// deeply calls fn under so many frames.
//
//go:noinline
func deeply(frames int, fn func() error) error {
	if frames == 0 {
		return fn()
	}
	err := deeply(frames-1, fn)
	pad[frames%len(pad)]++ // so that it is no tail call
	return err
}

var pad [8]int

// Time passes in the bubble when all wait: a nested call that is taken for one of
// its own would wait for its own slot until a limit ends that.
func TestNestedUseGetsItsSlotAtAnyDepthOfTheStack(t *testing.T) {
	t.Parallel()
	for _, frames := range []int{0, 100, 100_000} {
		t.Run(fmt.Sprint(frames), func(t *testing.T) {
			inBubble(t, small(), locked.Config{UseSlots: 2}, func(t *testing.T, p *locked.Pool) {
				open := fill(t, p, 32)
				defer func() {
					for _, b := range open {
						destroy(t, b)
					}
				}()
				start := time.Now()
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						err := p.Use(ctx, 32, nop, func([]byte) error {
							return deeply(frames, func() error { return p.Use(ctx, 32, nop, nop) })
						})
						if err != nil {
							t.Errorf("%d frames down: %v", frames, err)
						}
					})
				}
				wg.Wait()
				if waited := time.Since(start); waited > 0 {
					t.Errorf("%d frames down: stood still for %v", frames, waited)
				}
			})
		})
	}
}

func TestPoolsNestedInEachOtherGoOnAtOnce(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, 3*small())
	synctest.Test(t, func(t *testing.T) {
		var pools []*locked.Pool
		for range 3 {
			p, err := locked.NewPool(locked.Config{LockedBytes: small(), UseSlots: 2, AllowUnlocked: testenv.AllowUnlocked})
			if err != nil {
				t.Fatal(err)
			}
			defer closePool(t, p)
			open := fill(t, p, 32)
			defer func() {
				for _, b := range open {
					destroy(t, b)
				}
			}()
			pools = append(pools, p)
		}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				outer, inner := pools[i%3], pools[(i+1+i/3%2)%3]
				for range 20 {
					err := outer.Use(ctx, 32, nop, func([]byte) error {
						time.Sleep(time.Microsecond) // every outer slot is taken meanwhile
						return inner.Use(ctx, 32, nop, nop)
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("stood still for %v", waited)
		}
	})
}

// Deeper nesting waits for nothing, so that nobody waits in a circle.
func TestCallNestedTwiceNeverWaits(t *testing.T) {
	t.Parallel()
	inBubble(t, small(), locked.Config{UseSlots: 2}, func(t *testing.T, p *locked.Pool) {
		open := fill(t, p, 32)
		start := time.Now()
		err := p.Use(ctx, 32, nop, func([]byte) error {
			return p.Use(ctx, 32, nop, func([]byte) error { return p.Use(ctx, 32, nop, nop) })
		})
		if !errors.Is(err, locked.ErrExhausted) || time.Since(start) > 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		for _, b := range open {
			destroy(t, b)
		}
	})
}

// A profile that makes the compiler inline all it can must not hide the frames by
// which a nested call is known.
func TestNestedUseIsSeenInAProfileGuidedBuild(t *testing.T) {
	const child = "MEMKEEP_PGO_CHILD"
	if os.Getenv(child) != "" {
		return
	}
	t.Parallel()
	if !testenv.Long() {
		t.Skip("SKIPPED: it builds all once more; the gate has it")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("SKIPPED: a second build needs the go command: %v", err)
	}
	profile := filepath.Join(testenv.TempDir(t), "cpu.pprof")
	file, err := os.Create(profile)
	if err != nil {
		t.Fatal(err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		t.Skipf("SKIPPED: somebody else profiles: %v", err)
	}
	p := newPool(t, locked.Config{UseSlots: 3})
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		for range 100 {
			if err := p.Use(ctx, 32, nop, func([]byte) error { return p.Use(ctx, 32, nop, nop) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	pprof.StopCPUProfile()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	limited := ctx
	if deadline, ok := t.Deadline(); ok { // the build alone may take minutes
		var cancel context.CancelFunc
		limited, cancel = context.WithDeadline(ctx, deadline.Add(-10*time.Second))
		defer cancel()
	}
	cmd := exec.CommandContext(limited, tool, "test", "-pgo="+profile, "-count=1",
		"-run", "^(TestNestedUseGetsItsSlotAtAnyDepthOfTheStack|TestPoolsNestedInEachOtherGoOnAtOnce|TestOneLevelOfNestingNeverFails)$", ".")
	cmd.Env = append(os.Environ(), child+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
