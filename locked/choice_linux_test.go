package locked_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// kernels are what a process may find, by the answers to the two system calls
// that can be missing.
var kernels = []struct {
	name    string
	answers map[string]syscall.Errno
	backend locked.Backend
	reason  string
}{
	{"all there", nil, locked.MemfdSecret, ""},
	{"before 5.14, or an emulator", map[string]syscall.Errno{"memfd_secret": unix.ENOSYS},
		locked.Memfd, "not available: memfd_secret: function not implemented"},
	// mm/secretmem.c: "if (!secretmem_enable || !can_set_direct_map()) return -ENOSYS".
	{"secretmem.enable=0", map[string]syscall.Errno{"memfd_secret": unix.ENOSYS},
		locked.Memfd, "not available: memfd_secret: function not implemented"},
	{"docker's seccomp filter", map[string]syscall.Errno{"memfd_secret": unix.EPERM},
		locked.Memfd, "not available: memfd_secret: operation not permitted"},
	{"a security module", map[string]syscall.Errno{"memfd_secret": unix.EACCES},
		locked.Memfd, "not available: memfd_secret: permission denied"},
	{"before 3.17, or a strict filter", map[string]syscall.Errno{"memfd_secret": unix.ENOSYS, "memfd_create": unix.EPERM},
		locked.Mlock, "not available: memfd_secret: function not implemented; not available: memfd_create: operation not permitted"},
}

const unlimited = locked.Unlimited

// allowances are the limits a process may find, and the budget of a pool that
// asks for the default in pages of 4 KiB.
var allowances = []struct {
	name   string
	limits page.Limits
	budget int
	cut    bool
}{
	{"docker's 64 KiB", page.Limits{Soft: 64 << 10, Hard: 64 << 10}, 64 << 10, true},
	{"nothing", page.Limits{}, 0, true},
	{"less than a page", page.Limits{Soft: 4095, Hard: 4095}, 0, true},
	{"systemd's 8 MiB", page.Limits{Soft: 8 << 20, Hard: 8 << 20}, 8 << 20, false},
	{"a soft limit below its hard one", page.Limits{Soft: 64 << 10, Hard: 1 << 20}, 1 << 20, true},
	{"a soft limit that can be raised far enough", page.Limits{Soft: 64 << 10, Hard: unlimited}, 8 << 20, false},
	{"unlimited", page.Limits{Soft: unlimited, Hard: unlimited}, 8 << 20, false},
	{"CAP_IPC_LOCK", page.Limits{Soft: 64 << 10, Hard: 64 << 10, Exempt: true}, 8 << 20, false},
	{"CAP_IPC_LOCK and nothing", page.Limits{Exempt: true}, 8 << 20, false},
}

func TestBackendAndBudgetAreWhatKernelAndLimitAllow(t *testing.T) {
	t.Parallel()
	size := os.Getpagesize()
	for _, k := range kernels {
		backend, err := page.Open("", func(call string) error {
			if errno, missing := k.answers[call]; missing {
				return errno
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		if k.answers == nil && page.Missing(backend) != nil {
			t.Logf("SKIPPED: this kernel has no memfd_secret: %v", page.Missing(backend))
			continue
		}
		for _, a := range allowances {
			t.Run(fmt.Sprintf("%s/%s", k.name, a.name), func(t *testing.T) {
				p, err := locked.NewPoolUnder(backend, locked.Config{}, a.limits)
				if a.budget < size {
					var refused *locked.LimitError
					if !errors.As(err, &refused) || refused.Soft != a.limits.Soft || refused.Hard != a.limits.Hard || refused.Requested != size {
						t.Fatalf("got %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer closePool(t, p)
				s := p.Stats()
				if s.Backend != k.backend || s.Budget != a.budget/size*size || s.BudgetCut != a.cut {
					t.Errorf("%s with a budget of %d, cut %v; want %s, %d, %v", s.Backend, s.Budget, s.BudgetCut, k.backend, a.budget, a.cut)
				}
				if s.BackendReason != k.reason {
					t.Errorf("the reason is %q, want %q", s.BackendReason, k.reason)
				}
			})
		}
	}
}

// A budget is cut by a limit. That it is rounded to whole pages is nobody's
// limit, and raising one would not help.
func TestBudgetOfOddBytesIsNotCut(t *testing.T) {
	t.Parallel()
	backend, err := page.Open(page.Mlock, nil)
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	for _, c := range []struct {
		asked, soft int
		cut         bool
	}{
		{4*size + 1, 1 << 20, false},
		{size - 1, 1 << 20, false},
		{4*size + 1, 4*size + 1, false},
		{4*size + 1, 4 * size, true},
	} {
		p, err := locked.NewPoolUnder(backend, locked.Config{LockedBytes: c.asked}, page.Limits{Soft: uint64(c.soft), Hard: uint64(c.soft)})
		var refused *locked.LimitError
		if errors.As(err, &refused) {
			if blamed := strings.Contains(err.Error(), "ulimit"); blamed != c.cut {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if s := p.Stats(); s.BudgetCut != c.cut || s.Budget != 4*size {
			t.Errorf("%+v: a budget of %d, cut %v", c, s.Budget, s.BudgetCut)
		}
		closePool(t, p)
	}
}

// The real thing: a filter as containers have it answers the system call.
func TestSeccompFilterLeavesTheNextBackend(t *testing.T) {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		t.Skip("SKIPPED: the MIPS ports have no memfd_secret that a filter could refuse")
	}
	for _, errno := range []syscall.Errno{unix.EPERM, unix.ENOSYS} {
		t.Run(fmt.Sprintf("errno%d", int(errno)), func(t *testing.T) {
			if !testenv.UnderSeccomp(t, testenv.MemfdSecret, errno) {
				return
			}
			limits, err := locked.CurrentLimits()
			if err != nil || limits.Backend != locked.Memfd {
				t.Errorf("CurrentLimits: %+v, %v", limits, err)
			}
			if _, err := locked.NewPool(locked.Config{Backend: locked.MemfdSecret}); !errors.Is(err, locked.ErrUnsupported) || !errors.Is(err, errno) {
				t.Errorf("forced: %v", err)
			}
			testenv.MustLock(t, small())
			p := openPool(t, locked.Config{LockedBytes: small()})
			s := p.Stats()
			if s.Backend != locked.Memfd || !strings.Contains(s.BackendReason, "memfd_secret: "+errno.Error()) {
				t.Errorf("%s, because %q", s.Backend, s.BackendReason)
			}
			b := newBuffer(t, p, 32)
			copy(b.Bytes(), "a secret")
			if m, ok := testenv.MappingOf(t, b.Bytes()); !ok || !strings.Contains(m.Path, "memfd:memkeep") {
				t.Errorf("the buffer lies in %+v", m)
			}
			destroy(t, b)
		})
	}
}
