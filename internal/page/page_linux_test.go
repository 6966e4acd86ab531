package page_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
)

func TestPagesAreLockedAndKeptFromDumpsAndChildren(t *testing.T) {
	t.Parallel()
	conformance(t, func(t *testing.T, b page.Backend, dual bool) {
		r := mapRun(t, b, 2, dual)
		for name, pages := range map[string][]byte{"window": r.Window, "view": r.View} {
			m, ok := testenv.MappingOf(t, pages)
			if !ok {
				t.Fatalf("the %s is in no mapping", name)
			}
			if emulated(m) {
				t.Skip("SKIPPED: the emulator shows the mappings of its host without flags of the guest's advice")
			}
			// proc_pid_smaps(5): lo pages are locked, dd do not include area
			// into core dump, dc do not copy area on fork.
			if !m.Flags["dd"] || !m.Flags["dc"] {
				t.Errorf("the %s is in dumps or children: flags %v", name, m.Flags)
			}
			if a := page.Advised(); m.Flags["dd"] != (a.Dump != "") || m.Flags["dc"] != (a.Fork != "") {
				t.Errorf("Advised says %+v, the %s has the flags %v", a, name, m.Flags)
			}
			// The memfd view has no flag of its own: mlock of the window holds
			// the pages that both share.
			if locked := name == "window" || b.Name() != page.Memfd; locked && !m.Flags["lo"] {
				t.Errorf("the %s is not locked: flags %v", name, m.Flags)
			}
		}
	})
}

// emulated: an emulator that ignores madvise leaves none of its flags.
func emulated(m testenv.Mapping) bool {
	return os.Getenv("MEMKEEP_EXEC") != "" && !m.Flags["dd"] && !m.Flags["dc"]
}

func TestChargeIsWhatTheKernelCounts(t *testing.T) {
	// Not parallel: it watches the whole process.
	conformanceInTurn(t, func(t *testing.T, b page.Backend, dual bool) {
		before := testenv.LockedBytes(t)
		const pages = 2
		mapRun(t, b, pages, dual)
		if got, want := testenv.LockedBytes(t)-before, b.Charge(pages*page.Size(), dual); got != want {
			t.Errorf("the kernel counts %d bytes, Charge says %d", got, want)
		}
	})
}

func TestUnmapLeavesNothingBehind(t *testing.T) {
	// Not parallel: it watches the whole process.
	conformanceInTurn(t, func(t *testing.T, b page.Backend, dual bool) {
		testenv.Lockable(t, b.Charge(page.Size(), dual))
		locked := testenv.LockedBytes(t)
		r, err := b.Map(page.Size(), dual)
		if err != nil {
			t.Fatal(err)
		}
		window, view := r.Window, r.View
		if files := testenv.SecretFiles(t); len(files) > 0 {
			t.Errorf("open while mapped: %v", files)
		}
		if err := b.Unmap(r); err != nil {
			t.Fatal(err)
		}
		if now := testenv.LockedBytes(t); now != locked {
			t.Errorf("%d bytes locked, %d before", now, locked)
		}
		for _, pages := range [][]byte{window, view} {
			if m, ok := testenv.MappingOf(t, pages); ok && strings.Contains(m.Path, "mem") {
				t.Errorf("still mapped: %+v", m)
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

// readSelf reads b as another process would.
func readSelf(b []byte) ([]byte, error) {
	got := make([]byte, len(b))
	local := unix.Iovec{Base: &got[0]}
	local.SetLen(len(got))
	_, err := unix.ProcessVMReadv(os.Getpid(), []unix.Iovec{local},
		[]unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&b[0])), Len: len(b)}}, 0)
	return got, err
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
			{"memfd_create", page.Memcall},
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

func TestRefusedLockIsALockError(t *testing.T) {
	t.Parallel()
	for _, name := range page.Names() {
		call := map[string]string{page.MemfdSecret: "mmap", page.Memfd: "mlock", page.Memcall: "lock"}[name]
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
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Every call of a backend fails once. Each failure is reported with the name of
// the call, nothing stays mapped, locked or open, and the next try works.
func TestFailedCallLeavesNothingBehind(t *testing.T) {
	// Not parallel: it watches the whole process.
	for _, name := range page.Names() {
		for _, dual := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/dual=%v", name, dual), func(t *testing.T) {
				if _, err := page.Open(name, nil); err != nil {
					t.Skipf("SKIPPED: this system has no %s: %v", name, err)
				}
				testenv.Lockable(t, 2*page.Size())
				failures := 0
				for n := 1; ; n++ {
					if failed := failNth(t, name, dual, n); !failed {
						break
					}
					failures++
				}
				if failures < 5 {
					t.Errorf("only %d calls were made to fail", failures)
				}
			})
		}
	}
}

// failNth runs a run's whole life with the nth call failing, and reports whether
// there was an nth call.
func failNth(t *testing.T, name string, dual bool, n int) bool {
	t.Helper()
	calls, failed := 0, ""
	hook := func(call string) error {
		if calls++; calls == n {
			failed = call
			return unix.EIO
		}
		return nil
	}
	locked, files := testenv.LockedBytes(t), len(testenv.SecretFiles(t))
	life := func(b page.Backend) error {
		r, err := b.Map(page.Size(), dual)
		if err != nil {
			return err
		}
		err = b.Protect(r, page.Read)
		if failed := b.Unmap(r); failed != nil {
			// The run is still ours.
			err = errors.Join(err, failed, b.Unmap(r))
		}
		return err
	}
	b, err := page.Open(name, hook)
	if err == nil {
		err = life(b)
	}
	if failed == "" {
		if err != nil {
			t.Errorf("no call was made to fail: %v", err)
		}
		return false
	}
	if !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), failed) {
		t.Errorf("call %d, %s, failed: the error is %q", n, failed, err)
	}
	if now := testenv.LockedBytes(t); now != locked {
		t.Errorf("call %d, %s, failed: %d bytes locked, %d before", n, failed, now, locked)
	}
	if now := len(testenv.SecretFiles(t)); now != files {
		t.Errorf("call %d, %s, failed: %d files open, %d before", n, failed, now, files)
	}
	if b != nil {
		if err := life(b); err != nil {
			t.Errorf("call %d, %s, failed: the next try too: %v", n, failed, err)
		}
	}
	return true
}

func TestMoreThanTheMachineHasIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	if math.MaxInt == math.MaxInt32 {
		t.Skip("a process that can't address more than the machine has")
	}
	const absurd = math.MaxInt / 4 / 65536 * 65536
	for _, name := range []string{page.MemfdSecret, page.Memfd} {
		b, err := page.Open(name, nil)
		if err != nil {
			t.Skipf("SKIPPED: this system has no %s: %v", name, err)
		}
		for _, dual := range []bool{true, false} {
			var refused *page.LockError
			if _, err := b.Map(absurd, dual); !errors.As(err, &refused) || refused.Size != absurd {
				t.Errorf("%s, dual %v: %v", name, dual, err)
			}
		}
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
