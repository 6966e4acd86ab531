//go:build amd64 || arm64

package forensics

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// needCores skips where a crash leaves no core in the working directory.
func needCores(t *testing.T) {
	t.Helper()
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		t.Fatal(err)
	}
	if name := strings.TrimSpace(string(pattern)); strings.ContainsAny(name, "|/") || !strings.HasPrefix(name, "core") {
		t.Skipf("SKIPPED, NOTHING TESTED: cores go to %q", name)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max == 0 {
		t.Skip("SKIPPED, NOTHING TESTED: the hard limit on cores is 0")
	}
}

// Ways to a core dump. Each is taken while the child is inside of Use and has a
// buffer open, and returns the file.
var dumps = []struct {
	name string
	// all: it asks for pages that are excluded from dumps too, so that only
	// those of memfd_secret stay out.
	all  bool
	take func(t *testing.T, s *subject) string
}{
	{"SIGQUIT", false, func(t *testing.T, s *subject) string {
		needCores(t)
		s.enterUse()
		if err := syscall.Kill(s.pid, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		return s.crashed(t)
	}},
	{"nil", false, func(t *testing.T, s *subject) string {
		needCores(t)
		s.tell("nil")
		return s.crashed(t)
	}},
	{"gcore", false, func(t *testing.T, s *subject) string { return s.gcore(t) }},
	{"gcore -a", true, func(t *testing.T, s *subject) string { return s.gcore(t, "-a") }},
}

func TestCoreDumps(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		for _, d := range dumps {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				if strings.HasPrefix(d.name, "gcore") {
					// gdb takes its time: once for each way of keeping pages out.
					if secretMemory := backend == ""; !testenv.Long() && (d.all != secretMemory || backend == string(locked.Mlock)) {
						t.Skip("SKIPPED: MEMKEEP_LONG is not set")
					}
					if _, err := exec.LookPath("gcore"); err != nil {
						t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
					}
				}
				s := start(t, "load", backend, "GOTRACEBACK=crash", coreEnv+"=1")
				s.expect("loaded")
				s.work()
				s.rest()
				secretPages := s.secretPages()
				file := d.take(t, s)
				s.searchCore(t, file, d.all && !secretPages)
			})
		}
	})
}

// enterUse lets the child stay inside of Use.
func (s *subject) enterUse() {
	s.t.Helper()
	s.tell("use")
	s.expect("using")
}

// crashed waits for the child's end and returns its core.
func (s *subject) crashed(t *testing.T) string {
	t.Helper()
	err := s.cmd.Wait()
	s.ended = true
	s.in.Close()
	if err == nil {
		t.Fatal("the child lives")
	}
	cores, err := filepath.Glob(filepath.Join(s.cmd.Dir, "core*"))
	if err != nil || len(cores) != 1 {
		t.Fatalf("%d cores, %v; the child: %v\n%s", len(cores), err, s.cmd.ProcessState, s.errs.String())
	}
	return cores[0]
}

func (s *subject) gcore(t *testing.T, flags ...string) string {
	t.Helper()
	s.enterUse()
	prefix := filepath.Join(s.cmd.Dir, "core")
	args := append(flags, "-o", prefix, strconv.Itoa(s.pid))
	out, err := exec.Command("gcore", args...).CombinedOutput()
	if _, exists := os.Stat(prefix + "." + strconv.Itoa(s.pid)); err != nil || exists != nil {
		t.Fatalf("gcore: %v, %v\n%s", err, exists, out)
	}
	s.tell("leave")
	return prefix + "." + strconv.Itoa(s.pid)
}

// searchCore searches a core for everything the board tells of. lockedToo says
// that it has the locked pages: then what lies in them must be found.
func (s *subject) searchCore(t *testing.T, file string, lockedToo bool) {
	t.Helper()
	found, size := searchFile(t, s.all(), file, 0)
	if found[ofControl] < 2 {
		t.Fatalf("the search does not find the control in %d bytes of %s: it proves nothing", size, filepath.Base(file))
	}
	secret := 0
	for q, n := range found {
		if q != ofControl {
			secret += n
		}
	}
	switch {
	case lockedToo && (found[ofShare] == 0 || found[ofPlaintext] == 0):
		t.Errorf("a dump of all pages has: %s", describe(found))
	case !lockedToo && secret > 0:
		t.Errorf("found %s", describe(found))
	}
	t.Logf("in %d bytes of core: %s", size, describe(found))
}

// searchFile searches a file of any size, opened with the flags too.
func searchFile(t *testing.T, set *patterns, path string, flags int) (found [quantities]int, size int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Page-aligned memory, as O_DIRECT wants it. What one read leaves at its
	// end goes before the next one.
	const page, part = 4096, 4 << 20
	mem, err := syscall.Mmap(-1, 0, page+part, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(mem)
	const overlap = piece - 1
	for {
		n, err := f.Read(mem[page:])
		for _, h := range set.find(mem[page-overlap : page+n]) {
			found[h.kind]++
		}
		size += n
		if n == 0 || err != nil {
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			return found, size
		}
		copy(mem[page-overlap:page], mem[page+n-overlap:page+n])
	}
}
