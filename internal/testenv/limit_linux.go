package testenv

import (
	"os"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// limitEnv tells a re-executed test the limit to run under.
const limitEnv = "MEMKEEP_LIMIT"

// nobody's ids on every Linux.
const nobody = 65534

// UnderLimit runs the calling test once more in a process of its own that may
// lock limit bytes and is exempt from nothing. There it returns true, and the
// test goes on; here it returns false, after the child's verdict became this
// test's.
//
//	if !testenv.UnderLimit(t, testenv.SmallLimit()) {
//		return
//	}
func UnderLimit(t *testing.T, limit int) bool {
	t.Helper()
	if want := os.Getenv(limitEnv); want != "" {
		if want != strconv.Itoa(limit) {
			t.Fatalf("under a limit of %s, not %d", want, limit)
		}
		r := unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &r); err != nil {
			t.Fatal(err)
		}
		return true
	}
	t.Parallel()
	var have unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &have); err != nil {
		t.Fatal(err)
	}
	if have.Max < uint64(limit) {
		t.Skipf("SKIPPED: a limit of %d bytes can't be had under one of %d", limit, have.Max)
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.count=1", "-test.v"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := Reexec(args...)
	cmd.Env = append(os.Environ(), limitEnv+"="+strconv.Itoa(limit))
	// Root has CAP_IPC_LOCK, which no limit holds.
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Dir = os.TempDir()
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("under a limit of %d bytes: %v\n%s", limit, err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}
