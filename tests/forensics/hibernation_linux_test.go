//go:build amd64 || arm64

package forensics

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/memkeep/memkeep/locked"
)

// A machine of .ci/boot's has the variable in its environment and a second disk.
const (
	bootedEnv = "MEMKEEP_BOOTED"
	swapDisk  = "/dev/vdb"
)

// swapOnDisk swaps to the machine's second disk until the test ends.
func swapOnDisk(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(swapDisk, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(swapHeader(size), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.BytePtrFromString(swapDisk)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_SWAPON, uintptr(unsafe.Pointer(name)), 0, 0); errno != 0 {
		t.Fatalf("swapon of %s: %v", swapDisk, errno)
	}
	t.Cleanup(func() {
		if _, _, errno := syscall.Syscall(syscall.SYS_SWAPOFF, uintptr(unsafe.Pointer(name)), 0, 0); errno != 0 {
			t.Errorf("swapoff of %s: %v", swapDisk, errno)
		}
	})
}

// hibernate has the kernel write an image to the disk, and go on from it at once: it is
// still there then.
func hibernate(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/sys/power/disk", []byte("test_resume"), 0); err != nil {
		t.Fatal(err)
	}
	switch err := os.WriteFile("/sys/power/state", []byte("disk"), 0); {
	case errors.Is(err, syscall.EBUSY):
		// Linux 6.1 writes the image, and then finds that it is itself using the disk to
		// read it from. The image keeps its swap space, which swapoff(2) would wait for.
		t.Cleanup(func() { freeImage(t) })
	case err != nil:
		t.Fatal(err)
	}
}

func freeImage(t *testing.T) {
	t.Helper()
	f, err := os.Open("/dev/snapshot")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const freeSwapPages = '3'<<8 | 9 // SNAPSHOT_FREE_SWAP_PAGES of linux/suspend_ioctls.h
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), freeSwapPages, 0); errno != 0 {
		t.Errorf("freeing the image: %v", errno)
	}
}

// A system hibernates to an image of all its memory, locked pages included: only those
// of memfd_secret keep it from that. With the other backends, the image has what an open
// buffer holds and the two shares of the key, each once, and neither the whole key nor any
// secret at rest.
func TestHibernation(t *testing.T) {
	if os.Getenv(bootedEnv) == "" {
		t.Skip("SKIPPED, NOTHING TESTED: the whole system hibernates: .ci/boot boots one for it")
	}
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOTHING TESTED: only root may")
	}
	for _, backend := range []locked.Backend{locked.Memfd, locked.Mlock} {
		t.Run("backend "+string(backend), func(t *testing.T) {
			need(t, string(backend))
			hibernated(t, string(backend))
		})
	}
}

func hibernated(t *testing.T, backend string) {
	swapOnDisk(t)
	s := start(t, "load", backend)
	s.expect("loaded")
	for s.idle() {
		s.provoke()
		time.Sleep(time.Millisecond) // for the child to get on
	}
	s.tell("rest")
	s.expect("resting")
	s.freezeHandled()
	// The image has the examiner's memory too: it unmasks nothing before.
	hibernate(t)
	set := s.all()
	set.add(ofOpen, s.board.secret(0))
	found, size := searchFile(t, set, swapDisk, syscall.O_DIRECT)
	t.Logf("in %d bytes of disk with an image: %s", size, describe(found))
	if found[ofControl] < 2 {
		t.Fatal("the control is not in the image: it proves nothing")
	}
	want := [quantities]int{ofControl: found[ofControl], ofShare: 4, ofOpen: 2} // pieces, two of each
	if found != want {
		t.Errorf("the image has %s; want %s", describe(found), describe(want))
	}
	s.thaw()
}
