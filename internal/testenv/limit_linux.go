package testenv

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// limitEnv tells a re-executed test the limit to run under.
const limitEnv = "MEMKEEP_LIMIT"

// nobody's ids on every Linux.
const nobody = 65534

// becomeNobody makes cmd, this test binary, run as nobody, who may not look into
// the folder that it lies in: so it gets a copy.
func becomeNobody(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	for i, arg := range cmd.Args {
		if self, err := os.Executable(); err != nil || arg != self {
			continue
		}
		binary, err := os.ReadFile(cmd.Args[i])
		if err != nil {
			t.Fatal(err)
		}
		cmd.Args[i] = filepath.Join(dir, "test")
		if err := writeProgram(cmd.Args[i], binary); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			cmd.Path = cmd.Args[i]
		}
		break
	}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// writeProgram writes a file that is to be executed. A child that another test
// forks meanwhile would hold it open for writing, and until it has executed its own
// program ours could not be: ETXTBSY.
func writeProgram(path string, binary []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, binary, 0o755)
}

// UnderLimit runs the calling test once more in a process of its own that may
// lock limit bytes and is exempt from nothing. There it returns true, and the
// test goes on; here it returns false, after the child's verdict became this
// test's.
//
//	if !testenv.UnderLimit(t, 64<<10) {
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
	cmd := Reexec("-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), limitEnv+"="+strconv.Itoa(limit))
	// Root has CAP_IPC_LOCK, which no limit holds.
	if os.Getuid() == 0 {
		becomeNobody(t, cmd)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("under a limit of %d bytes: %v\n%s", limit, err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}
