package page_test

import (
	"errors"
	"math"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
)

func TestPagesAreLockedAndKeptFromDumpsAndChildren(t *testing.T) {
	t.Parallel()
	if math.MaxInt == math.MaxInt32 && len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED: the emulator puts 32 bits of address space elsewhere in its own, and shows that; what is locked is seen by its amount")
	}
	conformance(t, func(t *testing.T, b page.Backend, dual bool) {
		r := mapRun(t, b, 2, dual)
		for name, pages := range map[string][]byte{"window": r.Window, "view": r.View} {
			m, ok := testenv.MappingOf(t, pages)
			if !ok {
				t.Fatalf("the %s is in no mapping", name)
			}
			// proc_pid_smaps(5): lo pages are locked, dd do not include area
			// into core dump, dc do not copy area on fork.
			//
			// The memfd view has no flag of its own: mlock of the window holds
			// the pages that both share.
			locked := page.Locks(b) && (name == "window" || b.Name() != page.Memfd)
			if locked && !testenv.Locked(t, pages) || !page.Locks(b) && m.Flags["lo"] {
				t.Errorf("locked %v, but the %s has the flags %v", locked, name, m.Flags)
			}
			if b.Name() == page.Unguarded {
				continue // the Go heap's
			}
			if len(testenv.Emulator()) > 0 && !m.Flags["dd"] && !m.Flags["dc"] {
				t.Skip("SKIPPED in part: the emulator says yes to madvise and does nothing, so only the lock is seen")
			}
			if !m.Flags["dd"] || !m.Flags["dc"] {
				t.Errorf("the %s is in dumps or children: flags %v", name, m.Flags)
			}
			if a := page.Advised(); m.Flags["dd"] != (a.Dump != "") || m.Flags["dc"] != (a.Fork != "") {
				t.Errorf("Advised says %+v, the %s has the flags %v", a, name, m.Flags)
			}
		}
	})
}

func TestMemfdSecretIsUnreadableFromOutside(t *testing.T) {
	t.Parallel()
	b, err := page.Open(page.MemfdSecret, nil)
	if err != nil {
		t.Skipf("SKIPPED: this system has no memfd_secret: %v", err)
	}
	r := mapRun(t, b, 1, true)
	copy(r.Window, "a secret")
	protect(t, b, r, page.Read)

	plain := []byte("no secret")
	if _, err := readSelf(plain); err != nil {
		t.Fatalf("the control could not be read: %v", err)
	}
	for name, pages := range map[string][]byte{"window": r.Window, "view": r.View} {
		if got, err := readSelf(pages[:8]); err == nil {
			t.Errorf("process_vm_readv read %q from the %s", got, name)
		}
		mem, err := os.Open("/proc/self/mem")
		if err != nil {
			t.Fatal(err)
		}
		defer mem.Close()
		got := make([]byte, 8)
		if _, err := mem.ReadAt(got, int64(uintptr(unsafe.Pointer(&pages[0])))); err == nil {
			t.Errorf("/proc/self/mem read %q from the %s", got, name)
		}
	}
}

// The kernel answers what it would do by a file that changes nothing:
// Documentation/admin-guide/pm/sleep-states.rst has the others of its words.
func TestSystemCannotHibernateWhileASecretPageIsMapped(t *testing.T) {
	// Not parallel: the other tests of the package map such pages too.
	b, err := page.Open(page.MemfdSecret, nil)
	if err != nil {
		t.Skipf("SKIPPED: this system has no memfd_secret: %v", err)
	}
	disabled := func() bool {
		modes, err := os.ReadFile("/sys/power/disk")
		return err != nil || strings.Contains(string(modes), "[disabled]")
	}
	if disabled() {
		t.Skip("SKIPPED, NOTHING TESTED: this system can't hibernate in any case, or another process keeps it from that")
	}
	testenv.Lockable(t, b.Charge(page.Size(), false))
	r, err := b.Map(page.Size(), false)
	if err != nil {
		t.Fatal(err)
	}
	if !disabled() {
		t.Error("the system may hibernate")
	}
	if err := b.Unmap(r); err != nil {
		t.Fatal(err)
	}
	// Another process may have such pages, but in a machine that is for the tests alone.
	for deadline := time.Now().Add(time.Minute); disabled(); {
		if time.Now().After(deadline) {
			if os.Getenv("MEMKEEP_BOOTED") != "" {
				t.Fatal("the page is unmapped, and the system still may not hibernate")
			}
			t.Skip("SKIPPED in part: the page is unmapped, and another process keeps the system from hibernating")
		}
		runtime.Gosched()
	}
}

// readSelf reads b as another process would.
func readSelf(b []byte) ([]byte, error) {
	got := make([]byte, len(b))
	local := unix.Iovec{Base: &got[0]}
	local.SetLen(len(got))
	_, err := unix.ProcessVMReadv(os.Getpid(), []unix.Iovec{local},
		[]unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&b[0])), Len: len(b)}}, 0)
	return got, err
}

func TestRefusedLockIsALockError(t *testing.T) {
	t.Parallel()
	for _, name := range page.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := map[string]string{page.MemfdSecret: "mmap", page.Memfd: "mlock", page.Mlock: "lock"}[name]
			calls := 0
			b, err := page.Open(name, func(c string) error {
				if c != call {
					return nil
				}
				// The first mmap of memfd_secret is the reservation.
				if calls++; call == "mmap" && calls == 1 {
					return nil
				}
				return unix.EAGAIN
			})
			if err != nil {
				t.Skipf("SKIPPED: this system has no %s: %v", name, err)
			}
			_, err = b.Map(page.Size(), true)
			var refused *page.LockError
			if !errors.As(err, &refused) || refused.Size != page.Size() || !errors.Is(err, unix.EAGAIN) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMissingMechanismLeavesTheNextOne(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
		missing := map[string]bool{}
		hook := func(call string) error {
			if missing[call] {
				return errno
			}
			return nil
		}
		for _, step := range []struct{ gone, next string }{
			{"memfd_secret", page.Memfd},
			{"memfd_create", page.Mlock},
		} {
			missing[step.gone] = true
			b, err := page.Open("", hook)
			if err != nil {
				t.Fatalf("%s answers %v: %v", step.gone, errno, err)
			}
			if b.Name() != step.next {
				t.Errorf("%s answers %v: the next backend is %s, got %s", step.gone, errno, step.next, b.Name())
			}
			if _, err := page.Open(step.gone[:len("memfd")], hook); step.gone == "memfd_create" && !errors.Is(err, page.ErrUnsupported) {
				t.Errorf("forced: %v", err)
			}
		}
	}
}

func TestMoreThanTheMachineHasIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	if math.MaxInt == math.MaxInt32 {
		t.Skip("SKIPPED: a process that can't address more than the machine has")
	}
	const absurd = math.MaxInt / 4 / 65536 * 65536
	for _, name := range page.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := page.Open(name, nil)
			if err != nil {
				t.Skipf("SKIPPED: this system has no %s: %v", name, err)
			}
			for _, dual := range []bool{true, false} {
				var refused *page.LockError
				if _, err := b.Map(absurd, dual); !errors.As(err, &refused) || refused.Size != absurd || refused.Resource != page.Memory {
					t.Errorf("dual %v: %v", dual, err)
				}
			}
		})
	}
}

func TestFailureOfTheMomentCostsNoBetterMechanism(t *testing.T) {
	t.Parallel()
	b, err := page.Open("", func(call string) error {
		if call == "memfd_secret" {
			return unix.EMFILE
		}
		return nil
	})
	if !errors.Is(err, unix.EMFILE) || errors.Is(err, page.ErrUnsupported) || b != nil {
		t.Errorf("out of descriptors: %v, %v", b, err)
	}
}

// Whatever runs out, the error says what it was, and keeps the system's answer.
func TestRefusalNamesTheResourceThatRanOut(t *testing.T) {
	t.Parallel()
	testenv.MustLock(t, 2*page.Size())
	for _, c := range []struct {
		backend, call string
		nth           int
		errno         syscall.Errno
		want          page.Resource
	}{
		{page.MemfdSecret, "memfd_secret", 2, unix.EMFILE, page.FileDescriptors}, // the first is Open's
		{page.MemfdSecret, "memfd_secret", 1, unix.ENFILE, page.FileDescriptors},
		{page.MemfdSecret, "mmap", 2, unix.EAGAIN, page.LockedMemory},
		{page.MemfdSecret, "mmap", 2, unix.ENOMEM, page.Mappings},
		{page.MemfdSecret, "ftruncate", 1, unix.ENOMEM, page.Memory},
		{page.Memfd, "memfd_create", 2, unix.EMFILE, page.FileDescriptors},
		{page.Memfd, "mmap", 3, unix.ENOMEM, page.Mappings},
		{page.Memfd, "mlock", 1, unix.ENOMEM, page.LockedMemory},
		{page.Memfd, "madvise", 1, unix.EAGAIN, page.Mappings},
		{page.Memfd, "mprotect", 1, unix.ENOMEM, page.Mappings},
		// A page more is to be had: so it is the size that was too much.
		{page.Memfd, "mmap", 1, unix.ENOMEM, page.AddressSpace},
		{page.Mlock, "alloc", 1, unix.ENOMEM, page.AddressSpace},
		{page.Mlock, "protect", 1, unix.ENOMEM, page.Mappings},
		{page.Mlock, "lock", 1, unix.EPERM, page.LockedMemory},
	} {
		if _, err := page.Open(c.backend, nil); err != nil {
			t.Logf("SKIPPED in part: this system has no %s: %v", c.backend, err)
			continue
		}
		calls := 0
		b, err := page.Open(c.backend, func(call string) error {
			if call != c.call {
				return nil
			}
			if calls++; calls != c.nth {
				return nil
			}
			return c.errno
		})
		if err == nil {
			var r *page.Run
			if r, err = b.Map(page.Size(), true); err == nil {
				err = errors.Join(b.Protect(r, page.Read), b.Unmap(r))
			}
		}
		var refused *page.LockError
		if !errors.As(err, &refused) || refused.Resource != c.want || !errors.Is(err, c.errno) {
			t.Errorf("%s: %s answers %v: got %v", c.backend, c.call, c.errno, err)
		}
	}
}

// memcall keeps the text of an error alone.
func TestErrnoOfMemcallIsFoundAgain(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("SKIPPED: with 32 bits every size is one that a machine may have")
	}
	t.Parallel()
	b, err := page.Open(page.Mlock, nil)
	if err != nil {
		t.Fatal(err)
	}
	var refused *page.LockError
	_, err = b.Map(math.MaxInt/4/65536*65536, false)
	if !errors.As(err, &refused) || !errors.Is(err, unix.ENOMEM) || refused.Resource == page.Mappings {
		t.Errorf("got %v", err)
	}
}
