package locked_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// small is a budget that fits several times into the smallest limit that the
// tests run under.
func small() int { return 8 * os.Getpagesize() }

// newPool returns a pool that is closed when the test ends, and then has nothing
// locked.
func newPool(t testing.TB, cfg locked.Config) *locked.Pool {
	t.Helper()
	if cfg.LockedBytes == 0 {
		cfg.LockedBytes = small()
	}
	testenv.Lockable(t, cfg.LockedBytes)
	return openPool(t, cfg)
}

// openPool is newPool for a test that has its share of lockable memory already:
// taking it in two steps, tests would wait for each other in a circle.
func openPool(t testing.TB, cfg locked.Config) *locked.Pool {
	t.Helper()
	cfg.AllowUnlocked = cfg.AllowUnlocked || testenv.AllowUnlocked
	p, err := locked.NewPool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, p) })
	return p
}

// closePool closes p and checks what holds after every test.
func closePool(t testing.TB, p *locked.Pool) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	s := p.Stats()
	if s.LockedBytes != 0 || s.OpenBuffers != 0 || s.Waiters != 0 {
		t.Errorf("after Close: %+v", s)
	}
	p.CheckInvariants(t)
	if s.LockedBytesPeak > s.Budget {
		t.Errorf("%d bytes were locked, the budget is %d", s.LockedBytesPeak, s.Budget)
	}
}

// everyBackend is what backends runs on: where the tests do without a lock, what there
// is without.
func everyBackend() []locked.Backend {
	if testenv.AllowUnlocked {
		return []locked.Backend{locked.Unlocked, locked.Unguarded}
	}
	return []locked.Backend{locked.MemfdSecret, locked.Memfd, locked.Mlock}
}

// backends runs f on every backend that this system has.
func backends(t *testing.T, f func(t *testing.T, backend locked.Backend)) {
	t.Helper()
	for _, backend := range everyBackend() {
		t.Run(string(backend), func(t *testing.T) {
			t.Parallel()
			open(t, backend)
			f(t, backend)
		})
	}
}

// open skips the test if this system does not have the backend, or has a better one
// than one without protection.
func open(t *testing.T, backend locked.Backend) {
	t.Helper()
	if backend == locked.Unguarded && testenv.Guarded() {
		t.Skip("SKIPPED: pages can be guarded here")
	}
	if _, err := page.Open(string(backend), nil); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
}

func newBuffer(t testing.TB, p *locked.Pool, size int) *locked.Buffer {
	t.Helper()
	b, err := p.New(size)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func destroy(t testing.TB, b *locked.Buffer) {
	t.Helper()
	if err := b.Destroy(); err != nil {
		t.Errorf("Destroy: %v", err)
	}
}

// at returns the byte at an offset from the start of b, which may lie outside.
func at(b []byte, offset int) *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), offset))
}

func TestProcessThatMayLockNothingGetsALimitErrorThatSaysWhatToDo(t *testing.T) {
	limits, err := locked.CurrentLimits()
	if errors.Is(err, locked.ErrUnsupported) {
		if _, err := locked.NewPool(locked.Config{}); !errors.Is(err, locked.ErrUnsupported) {
			t.Errorf("NewPool where memory can't be locked: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if limits.Exempt || limits.Soft > 0 || limits.Hard > 0 {
		t.Skipf("SKIPPED: this process may lock %d bytes; the run with a limit of 0 has this test", limits.Soft)
	}
	_, err = locked.NewPool(locked.Config{})
	var limit *locked.LimitError
	if !errors.As(err, &limit) {
		t.Fatalf("got %v", err)
	}
	if limit.Requested == 0 || limit.Soft != 0 || limit.Hard != 0 {
		t.Errorf("figures: %+v", limit)
	}
	for _, remedy := range []string{"ulimit -l", "LimitMEMLOCK", "--ulimit memlock", "CAP_IPC_LOCK"} {
		if !strings.Contains(limit.Remedy(), remedy) {
			t.Errorf("%q does not name %s", limit.Remedy(), remedy)
		}
	}
}

func TestNegativeConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for _, cfg := range []locked.Config{{LockedBytes: -1}, {UseSlots: -1}, {IdleTimeout: -1}} {
		if _, err := locked.NewPool(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

func TestForcedBackendShowsInStats(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		if got := p.Stats().Backend; got != backend {
			t.Errorf("Stats says %q", got)
		}
	})
	if _, err := locked.NewPool(locked.Config{Backend: "core memory"}); !errors.Is(err, locked.ErrUnsupported) {
		t.Errorf("an unknown backend: %v", err)
	}
}

func TestPoolLocksNothingUntilItIsUsed(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	if s := p.Stats(); s.LockedBytes != 0 || s.LockedBytesPeak != 0 {
		t.Errorf("%+v", s)
	}
}

// inBubble runs f on a pool with a budget of its own, in a bubble where time
// passes only when nothing else can happen.
func inBubble(t *testing.T, budget int, cfg locked.Config, f func(t *testing.T, p *locked.Pool)) {
	t.Helper()
	testenv.Lockable(t, budget)
	cfg.LockedBytes, cfg.AllowUnlocked = budget, testenv.AllowUnlocked
	synctest.Test(t, func(t *testing.T) {
		p, err := locked.NewPool(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer closePool(t, p)
		f(t, p)
	})
}
