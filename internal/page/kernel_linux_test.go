package page

import (
	"errors"
	"os"
	"testing"

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
