package load_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// Go's runtime opens such files before main, and they have the numbers that a program
// expects to be started with.
func TestFDLeavesAFileOfAControlGroupAlone(t *testing.T) {
	// No parallel test may get the descriptor's number.
	l := newLoader(t)
	for _, path := range []string{"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/cpu/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs"} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		e, err := l.FD(t.Context(), fd)
		refused(t, e, err, load.ErrNotFile, "fd:")
		if err := unix.Close(fd); err != nil {
			t.Errorf("closing the descriptor again: %v", err)
		}
		return
	}
	t.Skip("SKIPPED: no control group is mounted")
}

// As Kubernetes and Docker Swarm mount secrets, 0644 and 0444.
func TestAWorldReadableFileOnAReadOnlyTmpfsIsAccepted(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	dir := filepath.Join(testenv.TempDir(t), "mount")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755"); err != nil {
		t.Skipf("SKIPPED: mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := write(t, dir, "secret", content)
	for _, mode := range []os.FileMode{0o644, 0o444} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		e, err := l.File(t.Context(), path)
		refused(t, e, err, load.ErrExposed, path) // like /tmp
		remount := func(flags uintptr) {
			if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|flags, ""); err != nil {
				t.Fatal(err)
			}
		}
		remount(unix.MS_RDONLY)
		e, err = l.File(t.Context(), path)
		holds(t, e, err, []byte(content))
		secrets, err := l.Dir(t.Context(), dir)
		holds(t, secrets["secret"], err, []byte(content))
		remount(0)
	}
}
