//go:build amd64 || arm64

package forensics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/memkeep/memkeep/internal/testenv"
)

const swapEnv = "MEMKEEP_FORENSICS_SWAP"

const swapSize = 64 << 20 // bytes; the child has a quarter of it

// swapGuard waits for the end of its parent, however that comes, and then takes
// the swap file out of use.
func swapGuard(c *child) error {
	path := os.Getenv(swapEnv)
	c.say("guarding")
	for c.await() != "" {
	}
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	for range 600 {
		_, _, errno := syscall.Syscall(syscall.SYS_SWAPOFF, uintptr(unsafe.Pointer(name)), 0, 0)
		if errno == 0 || errno == syscall.EINVAL { // EINVAL: it was not on
			return os.Remove(path)
		}
		// ENOMEM: what is swapped out has no room in memory just now.
		err = fmt.Errorf("swapoff %s: %w", path, errno)
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// swapOn makes a swap file that is in use until the test ends.
func swapOn(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOTHING TESTED: only root can add a swap file")
	}
	path := filepath.Join(t.TempDir(), "swap")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Written out in full: of a block that the file system believes unwritten
	// it would say zero, whatever the kernel swapped there past it.
	if _, err := io.Copy(f, io.LimitReader(zeros{}, swapSize)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(swapHeader(swapSize), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	guard(t, path)
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	// swapon(2): SWAP_FLAG_PREFER and the highest priority, lest another area be used.
	const first = 0x8000 | 0x7fff
	if _, _, errno := syscall.Syscall(syscall.SYS_SWAPON, uintptr(unsafe.Pointer(name)), first, 0); errno != 0 {
		t.Skipf("SKIPPED, NOTHING TESTED: swapon of a file on this file system: %v", errno)
	}
	return path
}

// swapHeader returns the first page of so many bytes of swap, as mkswap(8) writes it: after
// 1,024 bytes for a boot loader the version and the last page, and the signature
// at its end.
func swapHeader(bytes int64) []byte {
	const info, version = 1024, 1
	size := os.Getpagesize()
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b[info:], version)
	binary.NativeEndian.PutUint32(b[info+4:], uint32(bytes/int64(size)-1))
	copy(b[size-len("SWAPSPACE2"):], "SWAPSPACE2")
	return b
}

// zeros is an endless file of them.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// guard starts the process that takes the swap file out of use.
func guard(t *testing.T, path string) {
	t.Helper()
	cmd := testenv.Reexec()
	cmd.Env = append(os.Environ(), roleEnv+"=swapguard", swapEnv+"="+path, boardEnv+"=")
	// What ends the tests, from the keyboard too, must not end the guard.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	_, out := testenv.StartChild(t, cmd)
	if _, err := io.ReadFull(out, make([]byte, len("guarding\n"))); err != nil {
		t.Fatal(err)
	}
}

// A cgroup limits the memory of the child.
type cgroup struct {
	dir          string
	limit, usage string // names of its files
}

func newCgroup(t *testing.T) *cgroup {
	t.Helper()
	name := fmt.Sprintf("memkeep-forensics-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
	for _, version := range []cgroup{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"},
		{"/sys/fs/cgroup", "memory.high", "memory.current"},
	} {
		dir := filepath.Join(version.dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			continue
		}
		g := &cgroup{dir, filepath.Join(dir, version.limit), filepath.Join(dir, version.usage)}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		if _, err := os.Stat(g.limit); err == nil {
			// On a busy machine swapping is slow: then the child is to wait for
			// memory, not to be killed. Only the first version would kill it.
			_ = os.WriteFile(filepath.Join(dir, "memory.oom_control"), []byte("1"), 0o644)
			return g
		}
	}
	t.Skip("SKIPPED, NOTHING TESTED: no memory cgroup to put the child into")
	return nil
}

func (g *cgroup) add(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: putting the child into a memory cgroup: %v", err)
	}
}

// squeeze takes a little of its memory from the child: what is used all the
// time is given up in small steps only.
func (g *cgroup) squeeze(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(g.usage)
	if err != nil {
		t.Fatal(err)
	}
	usage, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	err = g.setLimit(strconv.Itoa(usage - 64<<10))
	if err != nil && !errors.Is(err, syscall.EBUSY) { // as much as could be had
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond) // pressure lasts, while pages are being written
}

// setLimit sets the limit, and returns once the kernel has done what it could to meet it.
// It does not wait for that if the file is non-blocking, since Linux 6.16, which
// [os.OpenFile] makes those that can be polled.
func (g *cgroup) setLimit(limit string) error {
	fd, err := syscall.Open(g.limit, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for err = syscall.EINTR; err == syscall.EINTR; { // a signal ends the kernel's attempt
		_, err = syscall.Write(fd, []byte(limit))
	}
	return errors.Join(err, syscall.Close(fd))
}

// A machine that is short of memory writes to the swap file what it may: of a
// session with an open buffer and a Use under way, nothing that is secret.
func TestSwap(t *testing.T) {
	t.Parallel()
	// One after the other: the kernel chooses which swap file it writes to.
	for _, backend := range backends {
		t.Run("backend "+string(backend), func(t *testing.T) {
			need(t, string(backend))
			underPressure(t, string(backend))
		})
	}
}

func underPressure(t *testing.T, backend string) {
	swap := swapOn(t)
	group := newCgroup(t)
	s := start(t, "load", backend, bornEnv+"=1")
	s.expect("born")
	group.add(t, s.pid) // before the memory is there: what is charged elsewhere stays there
	s.tell("live")
	s.expect("loaded")
	s.work()
	s.rest()
	s.enterUse()
	set := s.all()
	swapped := 0
	for range 1000 {
		group.squeeze(t)
		// Nearly all of the child's own pages; with fewer it would be killed.
		if swapped = kilobytes(t, s.pid, "VmSwap:"); swapped >= 2<<10 {
			break
		}
	}
	found, size := searchFile(t, set, swap, syscall.O_DIRECT)
	t.Logf("%d KiB swapped out; in %d bytes of swap file: %s", swapped, size, describe(found))
	if found[ofControl] < 2 {
		t.Error("the control is not in the swap file: it proves nothing")
	}
	for q, n := range found {
		if q != ofControl && n > 0 {
			t.Errorf("in the swap file: %s", quantityNames[q])
		}
	}
	if err := group.setLimit("1G"); err != nil {
		t.Error(err)
	}
	s.tell("leave")
	s.end() // the cgroup goes next, and must be empty
}

// kilobytes returns a figure of proc_pid_status(5).
func kilobytes(t *testing.T, pid int, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), name)
	n := 0
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
