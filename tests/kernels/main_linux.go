// Command kernels is the first program of the systems that .ci/boot boots, and the
// only one beside the tests. It mounts what they need, runs each package's tests
// as root and as nobody, prints a verdict for each on the console, and powers the
// system off. The disk holds the programs, their folders and, in the end, their
// logs.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	smallLimit = 16    // pages that nobody may lock
	nobody     = 65534 // nobody's ids on every Linux
	patience   = 20 * time.Minute

	bootedEnv = "MEMKEEP_BOOTED" // set for tests: the machine is theirs alone
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "kernels is the init of a virtual machine: run .ci/boot")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Println("FAIL", err)
	}
	unix.Sync()
	// It does not return. Should it fail, the kernel panics as init ends.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// run sets the system up and runs what the disk holds.
func run() error {
	if err := enterDisk(); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	list, err := os.ReadFile("/tests")
	if err != nil {
		return err
	}
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return err
	}
	fmt.Printf("booted Linux %s, %s, pages of %d bytes\n",
		unix.ByteSliceToString(uname.Release[:]), unix.ByteSliceToString(uname.Version[:]), os.Getpagesize())
	for tests := range strings.FieldsSeq(string(list)) {
		folder, pattern, _ := strings.Cut(tests, ":")
		for _, user := range []string{"root", "nobody"} {
			verdict(folder, pattern, user)
			unix.Sync() // the log, should the machine be ended
		}
	}
	fmt.Println("all packages ran")
	return nil
}

// enterDisk makes the disk the root of the file system.
func enterDisk() error {
	if err := mount("devtmpfs", "/dev"); err != nil {
		return err
	}
	if err := loadModules("/modules"); err != nil {
		return err
	}
	const disk = "/dev/vda"
	for start := time.Now(); ; {
		if _, err := os.Stat(disk); err == nil {
			break
		} else if time.Since(start) > time.Minute {
			return err
		}
		time.Sleep(50 * time.Millisecond) // the kernel looks for disks on its own
	}
	if err := os.MkdirAll("/disk", 0o755); err != nil {
		return err
	}
	if err := unix.Mount(disk, "/disk", "ext4", 0, ""); err != nil {
		return os.NewSyscallError("mount of "+disk, err)
	}
	if err := errors.Join(unix.Chroot("/disk"), unix.Chdir("/")); err != nil {
		return os.NewSyscallError("chroot", err)
	}
	for _, fs := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"cgroup2", "/sys/fs/cgroup"}} {
		if err := mount(fs[0], fs[1]); err != nil {
			return err
		}
	}
	// Groups below the root may limit their memory.
	if err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory"), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll("/tmp", 0o755); err != nil {
		return err
	}
	return os.Chmod("/tmp", 0o777|os.ModeSticky)
}

// mount mounts a file system that needs no device.
func mount(kind, at string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kind, at, kind, 0, ""); err != nil {
		return fmt.Errorf("mount of %s: %w", kind, err)
	}
	return nil
}

// loadModules loads the kernel modules of a folder. Some need symbols of others:
// it goes round until a round loads none.
func loadModules(folder string) error {
	paths, err := filepath.Glob(folder + "/*.ko")
	if err != nil {
		return err
	}
	for {
		var failed []string
		var last error
		for _, path := range paths {
			if err := loadModule(path); err != nil {
				failed, last = append(failed, path), fmt.Errorf("%s: %w", path, err)
			}
		}
		if len(failed) == 0 || len(failed) == len(paths) {
			return last
		}
		paths = failed
	}
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// loopbackUp brings the system's one network interface up: some tests serve on
// it.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP)
	return os.NewSyscallError("ioctl of SIOCSIFFLAGS", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up))
}

// verdict runs the tests of the package in a folder, prints how they ended, and
// the log of those that failed. Each log stays on the disk.
func verdict(folder, pattern, user string) {
	start := time.Now()
	log, err := test(folder, pattern, user)
	name := filepath.Join("/logs", strings.ReplaceAll(folder, "/", "_")+"."+user)
	took := time.Since(start).Round(time.Second)
	if err := errors.Join(err, os.MkdirAll("/logs", 0o755), os.WriteFile(name, log, 0o644)); err != nil {
		fmt.Printf("%s\nFAIL %s as %s (%v): %v\n", log, folder, user, took, err)
		return
	}
	fmt.Printf("ok %s as %s (%v)\n", folder, user, took)
}

// test runs the tests of a package whose names match the pattern.
func test(folder, pattern, user string) (log []byte, err error) {
	cmd := exec.Command("/programs/"+filepath.Base(folder)+".test", "-test.v", "-test.run="+pattern, "-test.short", "-test.shuffle=on", "-test.timeout="+patience.String(),
		// Some kernels count pages of memfd_secret for all processes of a user: tests take
		// turns with the processes that others of them start as nobody.
		"-test.parallel=1")
	cmd.Dir = "/tree/" + folder
	cmd.Env = []string{"PATH=/bin", "HOME=/nonexistent", "TMPDIR=/tmp", bootedEnv + "=1"}
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if user == "nobody" {
		// Who is not root has no capability: no limit is lifted.
		pages := uint64(smallLimit * os.Getpagesize())
		limit = unix.Rlimit{Cur: pages, Max: pages}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return nil, os.NewSyscallError("setrlimit", err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.Bytes(), err
}
