package locked_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// hardenEnv tells a re-executed test what to be: a victim that takes the named
// measures, or an attacker.
const hardenEnv = "MEMKEEP_HARDEN"

// A victim is this test binary, hardened, with a marker in ordinary memory. It
// lives until its input ends or it is killed.
type victim struct {
	cmd    *exec.Cmd
	in     io.Closer
	marker string // where its marker lies: "address length", in decimal
	report map[string]string
}

// nobodyElse is an unprivileged user, whom root's tests run their children as.
const nobodyElse = 65534

// startVictim starts the calling test again as a victim that takes the measures,
// separated by commas. Root starts it as nobody, unless it must stay root.
func startVictim(t *testing.T, measures string, asRoot bool) *victim {
	t.Helper()
	cmd := testenv.Reexec("-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), hardenEnv+"=victim:"+measures, "GOTRACEBACK=crash")
	cmd.Dir = t.TempDir()
	// A core belongs to whoever the process ran as.
	for dir := cmd.Dir; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 && !asRoot {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyElse, Gid: nobodyElse}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := &victim{cmd: cmd, in: in, report: map[string]string{}}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if key == "ready" {
			v.marker = v.report["marker"]
			return v
		}
		v.report[key] = value
	}
	t.Fatalf("the victim ended: %v", v.report)
	return nil
}

// marker is what an attacker looks for. It is no constant, which would be in
// every copy of the binary.
func marker() []byte {
	m := make([]byte, 64)
	for i := range m {
		m[i] = byte(i*7 + os.Getpid())
	}
	return m
}

// beVictim does what a child of startVictim does, and never returns.
func beVictim(t *testing.T, measures string) {
	// A container may have a soft limit of zero: then the control needs one.
	var core unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &core) == nil {
		core.Cur = core.Max
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &core)
	}
	// Where Yama restricts tracing, the control needs leave.
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	old := touched()
	taken, err := locked.Harden(locked.Hardening{
		NoCoreDumps: strings.Contains(measures, "NoCoreDumps"),
		NotDumpable: strings.Contains(measures, "NotDumpable"),
		LockAll:     strings.Contains(measures, "LockAll"),
	})
	m := marker()
	fresh := touched()
	dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	_ = unix.Getrlimit(unix.RLIMIT_CORE, &core)
	fmt.Printf("taken=%+v\nerror=%v\nmarker=%d %d\nVmLck=%d\ndumpable=%d\ncore=%d %d\n", taken, err,
		uintptr(unsafe.Pointer(&m[0])), len(m), lockedKiB(), dumpable, core.Cur, core.Max)
	if !taken.NotDumpable { // else /proc/self belongs to root
		for name, pages := range map[string][]byte{"before": old, "after": fresh, "heap": m} {
			mapping, _ := testenv.MappingOf(t, pages)
			fmt.Printf("%s=%v\n", name, mapping.Flags["lo"])
		}
	}
	fmt.Printf("pool=%v\nready=\n", usePool())
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(m)
	runtime.KeepAlive([][]byte{old, fresh})
	os.Exit(0)
}

// touchedSize is how much memory a victim maps and touches, once before it is
// hardened and once afterwards.
const touchedSize = 32 << 20

func touched() []byte {
	b, err := unix.Mmap(-1, 0, touchedSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Printf("error=%v\n", err)
		os.Exit(1)
	}
	for i := range b {
		b[i] = 1
	}
	return b
}

// usePool says whether a pool still does what it does.
func usePool() error {
	p, err := locked.NewPool(locked.Config{LockedBytes: 16 * os.Getpagesize(), UseSlots: 2})
	if err != nil {
		return err
	}
	b, err := p.New(32)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	err = errors.Join(b.Freeze(), b.Melt(), b.Scramble(), p.Use(ctx, 32, nop, nop), b.Destroy())
	return errors.Join(err, p.Close())
}

func lockedKiB() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmLck:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib
		}
	}
	return -1
}

// attack runs an attacker as the victim's user, and returns what came of each
// of its ways to the victim's memory.
func attack(t *testing.T, v *victim) map[string]string {
	t.Helper()
	cmd := testenv.Reexec("-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=attacker:%d %s", hardenEnv, v.cmd.Process.Pid, v.marker))
	cmd.SysProcAttr = v.cmd.SysProcAttr
	cmd.Dir = v.cmd.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the attacker: %v\n%s", err, out)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			got[key] = value
		}
	}
	return got
}

// beAttacker does what a child of attack does, and never returns.
func beAttacker(what string) {
	var pid int
	var at uintptr
	var n int
	if _, err := fmt.Sscan(what, &pid, &at, &n); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("mem=%s\n", outcome(func(b []byte) error {
		mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return err
		}
		defer mem.Close()
		_, err = mem.ReadAt(b, int64(at))
		return err
	}, n, pid))
	fmt.Printf("process_vm_readv=%s\n", outcome(func(b []byte) error {
		local := unix.Iovec{Base: &b[0]}
		local.SetLen(n)
		_, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: at, Len: n}}, 0)
		return err
	}, n, pid))
	// Last, since it stops the victim.
	fmt.Printf("ptrace=%s\n", outcome(func(b []byte) error {
		runtime.LockOSThread()
		if err := unix.PtraceAttach(pid); err != nil {
			return err
		}
		defer unix.PtraceDetach(pid)
		if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != nil {
			return err
		}
		_, err := unix.PtracePeekData(pid, at, b)
		return err
	}, n, pid))
	os.Exit(0)
}

// outcome says whether a way led to the marker of the process.
func outcome(read func([]byte) error, n, pid int) string {
	b := make([]byte, n)
	if err := read(b); err != nil {
		if errors.Is(err, os.ErrPermission) {
			return "refused"
		}
		return err.Error()
	}
	for i := range b {
		if b[i] != byte(i*7+pid) {
			return "read something else"
		}
	}
	return "read it"
}

// hardenChild makes a re-executed test what its environment says.
func hardenChild(t *testing.T) {
	role, what, _ := strings.Cut(os.Getenv(hardenEnv), ":")
	switch role {
	case "victim":
		beVictim(t, what)
	case "attacker":
		beAttacker(what)
	}
}

// native skips under an emulator, where processes are the emulator's.
func native(t *testing.T) {
	t.Helper()
	if os.Getenv("MEMKEEP_EXEC") != "" {
		t.Skip("SKIPPED: an emulator has limits, tracing and cores of its own")
	}
}

func TestHardenOfNothingLeavesTheProcessAsItIs(t *testing.T) {
	hardenChild(t)
	t.Parallel()
	native(t)
	v := startVictim(t, "", false)
	if v.report["taken"] != "{NoCoreDumps:false NotDumpable:false LockAll:false}" || v.report["error"] != "<nil>" ||
		v.report["dumpable"] != "1" || v.report["core"] == "1 1" || v.report["core"] == "0 0" && !hardCoreLimitIsZero(t) {
		t.Errorf("%v", v.report)
	}
}

func hardCoreLimitIsZero(t *testing.T) bool {
	t.Helper()
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
		t.Fatal(err)
	}
	return core.Max == 0
}

// Each of two measures keeps a crash from leaving a core; the control leaves one.
func TestHardenedProcessLeavesNoCore(t *testing.T) {
	hardenChild(t)
	t.Parallel()
	native(t)
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		t.Fatal(err)
	}
	if name := strings.TrimSpace(string(pattern)); strings.ContainsAny(name, "|/@") || !strings.HasPrefix(name, "core") {
		t.Skipf("SKIPPED, NOTHING TESTED: cores go to %q", name)
	}
	if hardCoreLimitIsZero(t) {
		t.Skip("SKIPPED, NOTHING TESTED: the hard limit on cores is 0")
	}
	for measures, want := range map[string]int{"": 1, "NoCoreDumps": 0, "NotDumpable": 0, "NoCoreDumps,NotDumpable": 0} {
		v := startVictim(t, measures, false)
		if v.report["error"] != "<nil>" {
			t.Errorf("%s: %s", measures, v.report["error"])
		}
		if err := v.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		if err := v.cmd.Wait(); err == nil {
			t.Errorf("%q: the victim did not crash", measures)
		}
		cores, err := filepath.Glob(filepath.Join(v.cmd.Dir, "core*"))
		if err != nil || len(cores) != want {
			t.Errorf("%q: %d cores, want %d; %v", measures, len(cores), want, v.cmd.ProcessState)
		}
		for _, core := range cores {
			if err := os.Remove(core); err != nil {
				t.Error(err)
			}
		}
	}
}

// Another process of the same user reads the control in three ways, and what is
// not dumpable in none.
func TestNotDumpableProcessIsReadByNobodyOfItsUser(t *testing.T) {
	hardenChild(t)
	t.Parallel()
	native(t)
	for measures, want := range map[string]string{"": "read it", "NoCoreDumps": "read it", "NotDumpable": "refused"} {
		v := startVictim(t, measures, false)
		if v.report["error"] != "<nil>" {
			t.Errorf("%q: %v", measures, v.report)
		}
		got := attack(t, v)
		for _, way := range []string{"mem", "process_vm_readv", "ptrace"} {
			if got[way] != want {
				t.Errorf("%q: by %s: %s, want: %s", measures, way, got[way], want)
			}
		}
	}
}

// Everything that the process touches is locked, which the kernel counts, and
// pools go on.
func TestLockAllLocksWhatTheProcessTouches(t *testing.T) {
	hardenChild(t)
	t.Parallel()
	native(t)
	limits, err := locked.CurrentLimits()
	if err != nil {
		t.Fatal(err)
	}
	if !limits.Exempt && limits.Hard != locked.Unlimited {
		// Then the refusal is what there is to see.
		v := startVictim(t, "NoCoreDumps,LockAll", true)
		if v.report["taken"] != "{NoCoreDumps:true NotDumpable:false LockAll:false}" ||
			!strings.Contains(v.report["error"], "LockAll: the process's limit is") || v.report["pool"] != "<nil>" && limits.Hard > 0 {
			t.Errorf("%v", v.report)
		}
		return
	}
	control := startVictim(t, "", true)
	v := startVictim(t, "LockAll", true)
	before, _ := strconv.Atoi(control.report["VmLck"])
	after, _ := strconv.Atoi(v.report["VmLck"])
	if v.report["error"] != "<nil>" || v.report["pool"] != "<nil>" {
		t.Errorf("%v", v.report)
	}
	for _, name := range []string{"before", "after", "heap"} {
		if control.report[name] != "false" || v.report[name] != "true" {
			t.Errorf("the memory %q is locked: %s, in the control: %s", name, v.report[name], control.report[name])
		}
	}
	if after-before < 2*touchedSize>>10 {
		t.Errorf("%d KiB locked, %d without the measure: the victim touched twice %d bytes", after, before, touchedSize)
	}
}

func TestLockAllUnderALimitIsRefusedBeforeItHarms(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	taken, err := locked.Harden(locked.Hardening{LockAll: true})
	var failed *locked.HardenError
	if taken.LockAll || !errors.As(err, &failed) || failed.Measure != "LockAll" {
		t.Errorf("%+v, %v", taken, err)
	}
	for _, part := range []string{fmt.Sprintf("%d bytes", limit), "Go runtime", "ulimit -l", "CAP_IPC_LOCK"} {
		if err != nil && !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if n := testenv.LockedBytes(t); n != 0 {
		t.Errorf("%d bytes are locked", n)
	}
}
