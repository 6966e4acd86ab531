package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/internal/secretdo"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// serverEnv makes the test binary a server that holds locked memory of the backend
// it names, or none of it.
const serverEnv = "MEMKEEP_DOCTOR_SERVER"

// nobody is the user and group without rights, by convention.
const nobody = 65534

// beServer makes this process a server, if it was started as one.
func beServer() {
	wants := os.Getenv(serverEnv)
	if wants == "" {
		return
	}
	if err := serve(wants); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve does what a server does at its start, says so, and waits for the end of its
// standard input.
func serve(wants string) error {
	if strings.Contains(wants, "undumpable") {
		if _, err := locked.Harden(locked.Hardening{NotDumpable: true, NoCoreDumps: true}); err != nil {
			return err
		}
	}
	if !strings.Contains(wants, "nothing") {
		var backend locked.Backend
		for _, b := range []locked.Backend{locked.Memfd, locked.Mlock} {
			if strings.Contains(wants, string(b)) {
				backend = b
			}
		}
		pool, err := locked.NewPool(locked.Config{Backend: backend})
		if err != nil {
			return err
		}
		defer pool.Close()
		b, err := pool.New(32)
		if err != nil {
			return err
		}
		defer b.Destroy()
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// launch starts a server as that user, 0 for the test's own, and returns its
// process id once it is ready.
func launch(t *testing.T, user uint32, wants string) (pid int) {
	t.Helper()
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: of a process under an emulator /proc shows the emulator's memory")
	}
	limits, err := locked.CurrentLimits()
	if least := 4 * os.Getpagesize(); wants != "nothing" && (err != nil || limits.Budget < least) {
		t.Skipf("SKIPPED, NOTHING TESTED: a server needs %d bytes of locked memory: %+v, %v", least, limits, err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), serverEnv+"="+wants)
	if user != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	_, lines := testenv.StartChild(t, cmd)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the server says %q, %v", line, err)
	}
	return cmd.Process.Pid
}

// ofProcess returns what the program says of a process, and its exit status.
func ofProcess(t *testing.T, pid int) (report, int) {
	t.Helper()
	out, status := program(t, "-json", "-pid", fmt.Sprint(pid))
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v in %s, exit status %d", err, out, status)
	}
	if r.Process == nil || r.Process.PID != pid {
		t.Fatalf("the process is %+v, want %d", r.Process, pid)
	}
	return r, status
}

func (r report) expect(t *testing.T, statuses map[string]string) {
	t.Helper()
	for name, want := range statuses {
		if f := r.finding(t, name); f.Status != want {
			t.Errorf("%+v, want %s", f, want)
		}
	}
}

// Of a server of the same user the program sees the pages, whatever they are.
func TestRunningServerIsSeen(t *testing.T) {
	t.Parallel()
	best, err := locked.CurrentLimits()
	if err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
	}
	for _, backend := range []locked.Backend{"", locked.Memfd, locked.Mlock} {
		r, status := ofProcess(t, launch(t, 0, "server "+string(backend)))
		want := backend
		if backend == "" {
			want = best.Backend
		}
		if status != protected || !r.Protected || r.Limits.Backend != string(want) {
			t.Errorf("%q: exit status %d, protected %v, limits %+v", backend, status, r.Protected, r.Limits)
		}
		secret := want == locked.MemfdSecret
		if r.Process.Secret == nil || (*r.Process.Secret > 0) != secret || r.Process.Locked == 0 && !secret {
			t.Errorf("%q: %d bytes locked, of secret memory %v", backend, r.Process.Locked, r.Process.Secret)
		}
		reading := map[bool]string{true: good, false: weak}[secret]
		built := map[bool]string{true: good, false: note}[secretdo.On]
		r.expect(t, map[string]string{"lock": good, "backend": reading, "outside": reading, "page-dumps": good, "page-children": good, "runtime-secret": built})
		if r.Process.User != os.Geteuid() || r.Process.Resident == 0 || r.Process.Filter == "" {
			t.Errorf("the process: %+v", r.Process)
		}
		if l := r.Limits; l.Exempt != best.Exempt || l.Budget != best.Budget {
			t.Errorf("limits %+v, want those of this process: %+v", l, best)
		}
	}
}

// A process that locked nothing protects nothing, and the exit status says so.
func TestRunningProcessWithoutLockedMemoryFails(t *testing.T) {
	t.Parallel()
	r, status := ofProcess(t, launch(t, 0, "nothing"))
	if status != unprotected || r.Protected {
		t.Errorf("exit status %d, protected %v", status, r.Protected)
	}
	r.expect(t, map[string]string{"lock": bad})
}

// What a server did about dumps and tracing shows, and closes it to its own user,
// but not to root.
func TestRunningServerThatIsNotDumpable(t *testing.T) {
	t.Parallel()
	user := uint32(0)
	if os.Geteuid() == 0 {
		user = nobody
	}
	r, status := ofProcess(t, launch(t, user, "undumpable server"))
	r.expect(t, map[string]string{"dumpable": good, "core": good, "tracing": good})
	if r.Process.Core == nil || *r.Process.Core > 1 {
		t.Errorf("the core limit is %v", r.Process.Core)
	}
	if os.Geteuid() == 0 {
		r.expect(t, map[string]string{"lock": good, "page-dumps": good})
		if status != protected {
			t.Errorf("exit status %d", status)
		}
		return
	}
	// Kernels differ in whether VmLck counts memfd_secret. Where it does not, nothing
	// is known without the pages.
	want, wantStatus := good, protected
	if r.Process.Locked == 0 {
		want, wantStatus = unknown, noReport
	}
	if f := r.finding(t, "lock"); f.Status != want || status != wantStatus || !strings.Contains(f.Text, "permission denied") || r.Process.Secret != nil {
		t.Errorf("exit status %d, want %d; %+v, want %s", status, wantStatus, f, want)
	}
}

// Nobody sees the pages of root's process, and is told what to do.
func TestServerOfAnotherUserIsNotSeen(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root starts processes of two users")
	}
	pid := launch(t, 0, "nothing")
	cmd := testenv.Reexec("-pid", fmt.Sprint(pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	cmd.Dir = "/"
	// The exit status is 2.
	out, _ := cmd.CombinedOutput()
	if status := cmd.ProcessState.ExitCode(); status != noReport || !strings.Contains(string(out), "permission denied") || !strings.Contains(string(out), "as root") {
		t.Errorf("exit status %d:\n%s", status, out)
	}
}

func TestNoSuchProcessIsStatusTwo(t *testing.T) {
	t.Parallel()
	// The largest that a process id can be, and no system goes that far.
	cmd := testenv.Reexec("-pid", fmt.Sprint(1<<22))
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	out, _ := cmd.CombinedOutput()
	if status := cmd.ProcessState.ExitCode(); status != noReport || !strings.Contains(string(out), "there is no process 4194304") {
		t.Errorf("exit status %d:\n%s", status, out)
	}
}
