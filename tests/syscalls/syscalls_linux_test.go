package syscalls

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// operationEnv names the operation that a child repeats.
const operationEnv = "MEMKEEP_SYSCALLS"

// rounds of an operation: so many that what the runtime calls now and then,
// such as to schedule the thread, is far below one for each of them. Each call
// under strace takes as long as thousands of operations without one.
func (o operation) rounds() int {
	if o.most > 0 {
		return 5_000
	}
	return 20_000
}

// slack is how many calls of the runtime's own are let pass, such as to grow
// the heap.
func (o operation) slack() int { return o.rounds() / 100 }

// scheduling is what the runtime calls to hand processors over to threads: the
// more often, the slower strace makes the calls that count. The library has no
// part in it, since a lock that nobody else wants calls nobody. And each round
// of overwritten signal frames, twice a second, is a signal to return from.
var scheduling = map[string]bool{
	"futex": true, "sched_yield": true, "nanosleep": true, "rt_sigreturn": true,
	"futex_time64": true, "clock_nanosleep_time64": true, // 32 bits
}

// An operation is repeated by the child.
type operation struct {
	name  string
	most  int // calls of the system for each
	least int
	// once is the most where pages are mapped once, not twice: the library's own
	// writing is then through the caller's view, which has to be opened for it.
	once  int
	start func() (func() error, error)
}

var operations = []operation{
	{"getppid", 1, 1, 1, func() (func() error, error) {
		return func() error { unix.Getppid(); return nil }, nil
	}},
	{"Use", 0, 0, 0, func() (func() error, error) {
		e, err := enclave.NewRandom(32)
		return func() error { return e.Use(func([]byte) error { return nil }) }, err
	}},
	{"Use of 4,000 bytes", 0, 0, 0, func() (func() error, error) {
		e, err := enclave.NewRandom(4000)
		return func() error { return e.Use(func([]byte) error { return nil }) }, err
	}},
	{"UseAll", 0, 0, 0, func() (func() error, error) {
		a, err := enclave.NewRandom(32)
		if err != nil {
			return nil, err
		}
		b, err := enclave.NewRandom(64)
		return func() error { return enclave.UseAll(func([][]byte) error { return nil }, a, b) }, err
	}},
	{"Open and Destroy", 2, 1, 4, func() (func() error, error) {
		e, err := enclave.NewRandom(32)
		return func() error {
			b, err := e.Open()
			if err != nil {
				return err
			}
			return b.Destroy()
		}, err
	}},
	{"the drop-in's Open and Destroy", 2, 1, 4, func() (func() error, error) {
		e := memguard.NewEnclaveRandom(32)
		return func() error {
			b, err := e.Open()
			if err != nil {
				return err
			}
			b.Destroy()
			return nil
		}, nil
	}},
	{"New", 0, 0, 0, func() (func() error, error) {
		secret := make([]byte, 32)
		return func() error { _, err := enclave.New(secret); return err }, nil
	}},
}

func TestMain(m *testing.M) {
	if name := os.Getenv(operationEnv); name != "" {
		if err := repeat(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// repeat is what the child does.
func repeat(name string) error {
	debug.SetGCPercent(-1)
	for _, o := range operations {
		if o.name != name {
			continue
		}
		runtime.LockOSThread()
		op, err := o.start()
		if err != nil {
			return err
		}
		// The first ones map pages.
		for range 100 {
			if err := op(); err != nil {
				return err
			}
		}
		mark("begin")
		for range o.rounds() {
			if err := op(); err != nil {
				return err
			}
		}
		mark("end")
		return nil
	}
	return fmt.Errorf("no operation is called %q", name)
}

const marks = "/memkeep/mark/"

// mark is a call that does nothing and is found in the trace.
func mark(what string) { _ = unix.Access(marks+what, 0) }

func TestSystemCallsForEachOperation(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIPPED: there is no strace: apt-get install strace")
	}
	if emulator := os.Getenv("MEMKEEP_EXEC"); emulator != "" {
		t.Skipf("SKIPPED: strace would count what %s calls", emulator)
	}
	if out, err := exec.Command(strace, "-f", "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: strace may not trace here: %v: %s", err, out)
	}
	if testenv.Race {
		t.Skip("SKIPPED: the race detector calls the system on its own account")
	}
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			testenv.Lockable(t, 64<<10)
			calls, rounds := traced(t, strace, o.name), o.rounds()
			total := 0
			for name, n := range calls {
				if !scheduling[name] {
					total += n
				}
			}
			t.Logf("%.4f system calls each; in %d, with those of the runtime's scheduling: %v", float64(total)/float64(rounds), rounds, calls)
			most := o.most
			if mappedOnce(t) {
				most = o.once
			}
			if total > most*rounds+o.slack() {
				t.Errorf("%d system calls in %d, at most %d each: %v", total, rounds, most, calls)
			}
			if total < o.least*rounds {
				t.Errorf("%d system calls in %d, at least %d each: the count does not count", total, rounds, o.least)
			}
		})
	}
}

// mappedOnce is whether the children's pages may be mapped once: by the backend
// of last resort, and under a budget below the usual one, which is better spent
// on more buffers.
func mappedOnce(t *testing.T) bool {
	t.Helper()
	limits, err := locked.CurrentLimits()
	if err != nil {
		t.Fatal(err)
	}
	return limits.Backend == locked.Mlock || !limits.Exempt && limits.Hard < locked.DefaultLockedBytes
}

// traced runs the operation under strace and returns how often each system
// call was made between the marks by the thread that made them.
func traced(t *testing.T, strace, name string) map[string]int {
	t.Helper()
	log := filepath.Join(t.TempDir(), "trace")
	self, err := os.Executable() // not /proc/self/exe, which is strace for strace's child
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(strace, "-f", "-qq", "-o", log, "--", self)
	// No signals from the runtime: each would be two lines, and a call to return.
	cmd.Env = append(os.Environ(), operationEnv+"="+name, "GODEBUG=asyncpreemptoff=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the child under strace: %v\n%s", err, out)
	}
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	calls, err := between(string(trace))
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

// call is a line of the trace that begins a system call: "pid name(".
var call = regexp.MustCompile(`^(\d+) +([a-z0-9_]+)\(`)

// between counts a thread's calls between its two marks. Lines that resume a
// call or tell of signals begin none.
func between(trace string) (map[string]int, error) {
	var thread string
	calls := map[string]int{}
	for line := range strings.Lines(trace) {
		m := call.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		switch {
		case strings.Contains(line, marks+"begin"):
			thread = m[1]
		case m[1] != thread:
		case strings.Contains(line, marks+"end"):
			return calls, nil
		default:
			calls[m[2]]++
		}
	}
	return nil, fmt.Errorf("the trace has no pair of marks; it has %d lines", strings.Count(trace, "\n"))
}

func TestTheCountIsThatOfOneThreadBetweenTheMarks(t *testing.T) {
	const trace = `11 mmap(NULL, 4096) = 0x7f
11 faccessat(AT_FDCWD, "/memkeep/mark/begin", F_OK) = -1 ENOENT
11 mprotect(0x7f, 4096, PROT_READ) = 0
12 futex(0xc0, FUTEX_WAIT, 0 <unfinished ...>
11 mprotect(0x7f, 4096, PROT_NONE <unfinished ...>
12 <... futex resumed>) = 0
11 <... mprotect resumed>) = 0
11 --- SIGURG {si_signo=SIGURG} ---
11 getppid() = 1
11 faccessat(AT_FDCWD, "/memkeep/mark/end", F_OK) = -1 ENOENT
11 exit_group(0) = ?
`
	calls, err := between(trace)
	if err != nil || len(calls) != 2 || calls["mprotect"] != 2 || calls["getppid"] != 1 {
		t.Errorf("counted %v, %v", calls, err)
	}
	if _, err := between(strings.ReplaceAll(trace, "end", "and")); err == nil {
		t.Error("a trace without its end is no error")
	}
}
