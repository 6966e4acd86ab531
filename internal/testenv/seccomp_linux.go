package testenv

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// seccompEnv tells a re-executed test which filter to run under.
const seccompEnv = "MEMKEEP_SECCOMP"

// MemfdSecret is the number of memfd_secret(2) on every architecture of Linux's
// unified table. The MIPS ports don't have the call.
const MemfdSecret = 447

// UnderSeccomp runs the calling test once more in a process of its own, where a
// seccomp filter answers errno to the system call of that number, as a
// container's does. There it returns true, and the test goes on; here it returns
// false, after the child's verdict became this test's.
func UnderSeccomp(t *testing.T, number uint32, errno syscall.Errno) bool {
	t.Helper()
	want := errno.Error()
	if have := os.Getenv(seccompEnv); have != "" {
		if have != want {
			t.Fatalf("under a filter that answers %q, not %q", have, want)
		}
		Refuse(t, number, errno)
		return true
	}
	t.Parallel()
	cmd := Reexec("-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), seccompEnv+"="+want)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("under a filter that answers %q: %v\n%s", want, err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}

// Refuse makes the process get errno from the system call of that number from now
// on. It is for a test that runs in a process of its own.
func Refuse(t *testing.T, number uint32, errno syscall.Errno) {
	t.Helper()
	if err := RefuseCall(number, errno); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
}

// RefuseCall makes every thread of this process, for good, get errno from the
// system call of that number: seccomp(2). The number of the call is the first
// field of struct seccomp_data. The process can't gain privileges from then on.
func RefuseCall(number uint32, errno syscall.Errno) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// Without CAP_SYS_ADMIN a filter needs this, of its own thread; TSYNC gives the other
	// threads both.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl of PR_SET_NO_NEW_PRIVS", err)
	}
	thread, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if failed != 0 {
		return os.NewSyscallError("seccomp", failed)
	}
	if thread != 0 {
		return fmt.Errorf("seccomp: thread %d has a filter of its own", thread)
	}
	return nil
}
