package page

import (
	"errors"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An access that could not be set must never count as set.
func TestRefusedProtectionIsTheKernelsError(t *testing.T) {
	t.Parallel()
	b, err := unix.Mmap(-1, 0, 2*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	// mprotect(2): "addr must be aligned to a page boundary", or it is EINVAL.
	if err := (kernel{}).protect(b[1:], None); !errors.Is(err, unix.EINVAL) {
		t.Errorf("got %v, want EINVAL", err)
	}
	if err := (kernel{}).protect(b, Read); err != nil {
		t.Error(err)
	}
}

// Where the system refuses the file, another thread may have mapped something of its own
// by then: what is unmapped is the rest.
func TestWhatOthersMapWhereTheSystemRefusedTheFileStays(t *testing.T) {
	// Not parallel: what other tests map could come before what this one does.
	for _, c := range []struct {
		dual    bool
		refused int // which mapping of the file
	}{{false, 1}, {true, 1}, {true, 2}} {
		files := 0
		m := &memfd{name: MemfdSecret, create: kernel.memfdCreate, lockedBirth: true, countsTwice: true}
		r, err := m.reserve(Size(), c.dual)
		if err != nil {
			t.Fatal(err)
		}
		m.kernel = kernel{func(call string) error {
			if call == "mmap" {
				if files++; files == c.refused {
					return unix.EAGAIN
				}
			}
			return nil
		}}
		hole, err := m.fill(r, Size())
		if refused, _ := errors.AsType[*LockError](err); refused == nil || hole == nil {
			t.Fatalf("%+v: %v, and a hole of %d bytes", c, err, len(hole))
		}
		others, err := unix.MmapPtr(-1, 0, unsafe.Pointer(&hole[0]), uintptr(len(hole)), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED_NOREPLACE)
		if err != nil || others != unsafe.Pointer(&hole[0]) {
			t.Fatalf("%+v: the hole is not free: %v", c, err)
		}
		if err := m.release(r.whole, hole); err != nil {
			t.Error(err)
		}
		// msync(2): ENOMEM, "the indicated memory … was not mapped".
		if err := unix.Msync(hole, unix.MS_ASYNC); err != nil {
			t.Errorf("%+v: what another had mapped is gone: %v", c, err)
		}
		if err := unix.Msync(r.whole[:Size()], unix.MS_ASYNC); err != unix.ENOMEM {
			t.Errorf("%+v: the rest is still mapped: %v", c, err)
		}
		_ = unix.MunmapPtr(others, uintptr(len(hole)))
	}
}
