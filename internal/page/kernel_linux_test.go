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
		if !take(hole) {
			t.Fatalf("%+v: the hole is not free", c)
		}
		r.pieces = without(r.whole, hole)
		if err := m.Unmap(r); err != nil {
			t.Error(err)
		}
		if take(hole) {
			t.Errorf("%+v: what another had mapped is gone", c)
		}
		guard := r.whole[:Size()]
		if !take(guard) {
			t.Errorf("%+v: the rest is still mapped", c)
		}
		for _, b := range [][]byte{hole, guard} {
			_ = unix.MunmapPtr(unsafe.Pointer(&b[0]), uintptr(len(b)))
		}
	}
}

// take maps b, and reports whether nothing was mapped there.
func take(b []byte) bool {
	p, err := unix.MmapPtr(-1, 0, unsafe.Pointer(&b[0]), uintptr(len(b)), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED_NOREPLACE)
	if err == nil && p != unsafe.Pointer(&b[0]) {
		_ = unix.MunmapPtr(p, uintptr(len(b)))
	}
	return err == nil && p == unsafe.Pointer(&b[0])
}
