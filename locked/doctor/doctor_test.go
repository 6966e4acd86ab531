//go:build !ios

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/internal/platform"
	"github.com/memkeep/memkeep/locked"
)

var update = flag.Bool("update", false, "write the golden files of the output")

// mainEnv makes the test binary be the program itself.
const mainEnv = "MEMKEEP_DOCTOR"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
	}
	beServer()
	os.Exit(m.Run())
}

// strong is a Linux server on which nothing is left to mend.
func strong() state {
	return state{
		OS: "linux", Arch: "amd64",
		Limits: locked.Limits{
			Soft: 8 << 20, Hard: locked.Unlimited, PageSize: 4096, Budget: 8 << 20, Backend: locked.MemfdSecret,
			DumpExclusion: "MADV_DONTDUMP", ForkExclusion: "MADV_DONTFORK",
		},
		Probe: probe{Locked: 24576, Outside: platform.No},
		Facts: platform.Facts{
			Swap:        platform.Swap{Present: platform.Yes, Areas: []platform.Area{{Name: "/dev/dm-1", Encrypted: platform.Yes}, {Name: "/dev/zram0", Memory: true}}},
			Core:        platform.Core{Limited: true, Pattern: "core", Off: platform.No},
			Hibernation: platform.Hibernation{Possible: platform.Yes, Why: "/sys/power/state offers disk"},
			Tracing:     platform.Tracing{SameUser: platform.No, Why: "kernel.yama.ptrace_scope is 1", Dumpable: platform.No},
		},
		RuntimeSecret: platform.Yes,
	}
}

// server is a server that runs, on a system like strong's.
func server() state {
	s := strong()
	s.Probe = probe{}
	s.Process = &platform.Process{
		PID: 4711, Name: "keyserver", UID: 998, LockSoft: 8 << 20, LockHard: locked.Unlimited, Resident: 42 << 20,
		Pages:      platform.Pages{Secret: 96 << 10},
		DumpFilter: 0x33, HasDumpFilter: true, NoNewPrivileges: platform.Yes, Filtered: platform.Yes, Setuid: "0",
	}
	return s
}

// shabby is a server that runs on a system like poor's, as a container's root.
func shabby() state {
	s := poor()
	s.Probe = probe{}
	s.Limits.BackendReason = filtered
	s.Facts.Tracing.Dumpable = platform.Unknown
	s.Process = &platform.Process{
		PID: 1, Name: "server\x1b[2J", LockSoft: 64 << 10, LockHard: 64 << 10, Resident: 42 << 20, Locked: 32 << 10, SwappedOut: 24 << 10,
		Pages:      platform.Pages{Memfd: 64 << 10},
		DumpFilter: 0x33, HasDumpFilter: true, NoNewPrivileges: platform.No, Filtered: platform.No, Setuid: "2",
	}
	return s
}

// hidden is a server whose pages the doctor may not see, and which locked none that
// VmLck counts.
func hidden() state {
	s := server()
	s.RuntimeSecret = platform.Unknown
	s.Process.Pages, s.Process.PagesErr = platform.Pages{}, fs.ErrPermission
	s.Limits.Backend = ""
	return s
}

// poor is one in a container that nobody configured, under a desktop's kernel.
func poor() state {
	return state{
		OS: "linux", Arch: "arm64",
		Limits: locked.Limits{
			Soft: 64 << 10, Hard: 64 << 10, PageSize: 4096, Budget: 64 << 10,
			Backend: locked.Memfd, BackendReason: "not available: memfd_secret: operation not permitted",
			DumpExclusion: "MADV_DONTDUMP", ForkExclusion: "MADV_DONTFORK",
		},
		Probe: probe{Locked: 16384, Outside: platform.Yes},
		Facts: platform.Facts{
			Swap:        platform.Swap{Present: platform.Yes, Areas: []platform.Area{{Name: "/dev/sda2", Encrypted: platform.No}}},
			Core:        platform.Core{Pattern: "|/usr/share/apport/apport %p", Piped: true, Limited: true, Off: platform.No},
			Hibernation: platform.Hibernation{Possible: platform.Yes, Why: "/sys/power/state offers disk"},
			Tracing:     platform.Tracing{SameUser: platform.Yes, Why: "kernel.yama.ptrace_scope is 0", Dumpable: platform.Yes},
			Container:   "docker",
		},
		RuntimeSecret: platform.No,
	}
}

// nothing is one whose limit is zero.
func nothing() state {
	s := poor()
	s.Limits.Soft, s.Limits.Hard, s.Limits.Budget = 0, 0, 0
	s.Probe = probe{Err: &locked.LimitError{Requested: 4096}}
	return s
}

// unsupported is a platform that can't lock memory.
func unsupported() state {
	return state{OS: "plan9", Arch: "amd64", LimitsErr: locked.ErrUnsupported, Probe: probe{Err: locked.ErrUnsupported}}
}

// onSystem is a server on a system with one mechanism.
func onSystem(os string, l locked.Limits, f platform.Facts) state {
	if l.Soft == 0 {
		l.Soft = locked.Unlimited
	}
	l.Hard, l.PageSize, l.Budget, l.Backend = locked.Unlimited, 4096, 8<<20, locked.Mlock
	return state{OS: os, Arch: "amd64", Limits: l, Probe: probe{Locked: 16384}, Facts: f}
}

func golden() map[string]state {
	return map[string]state{
		"strong": strong(), "poor": poor(), "nothing": nothing(), "unsupported": unsupported(),
		"server": server(), "shabby": shabby(), "hidden": hidden(),
		"darwin": onSystem("darwin", locked.Limits{ForkExclusion: "VM_INHERIT_NONE"}, platform.Facts{
			Swap:        platform.Swap{Present: platform.Yes, Areas: []platform.Area{{Name: "/private/var/vm", Encrypted: platform.Yes}}},
			Core:        platform.Core{Pattern: "/cores/core.%P", Limited: true, Off: platform.No},
			Hibernation: platform.Hibernation{Possible: platform.Yes, Why: "kern.hibernatemode"},
		}),
		"freebsd": onSystem("freebsd", locked.Limits{DumpExclusion: "MADV_NOCORE", ForkExclusion: "INHERIT_NONE"}, platform.Facts{
			Swap:    platform.Swap{Present: platform.Yes},
			Core:    platform.Core{Pattern: "%N.core", Limited: true, Limit: locked.Unlimited, Off: platform.No},
			Tracing: platform.Tracing{SameUser: platform.Yes, Why: "security.bsd.unprivileged_proc_debug"},
		}),
		"windows": onSystem("windows", locked.Limits{Soft: 50 * 4096, DumpExclusion: "WerRegisterExcludedMemoryBlock"}, platform.Facts{
			Swap:        platform.Swap{Present: platform.Yes, Areas: []platform.Area{{Name: `?:\pagefile.sys`, Encrypted: platform.No}}},
			Core:        platform.Core{Off: platform.Yes},
			Hibernation: platform.Hibernation{Possible: platform.Yes, Why: "HibernateEnabled in the registry"},
			Tracing:     platform.Tracing{SameUser: platform.Yes, Why: "Windows lets a user debug the processes of the same user"},
		}),
	}
}

func TestOutputIsTheGoldenOne(t *testing.T) {
	t.Parallel()
	for name, s := range golden() {
		for ext, args := range map[string][]string{".txt": nil, ".json": {"-json"}} {
			var out, errs bytes.Buffer
			status := run(args, func(int) (state, error) { return s, nil }, &out, &errs)
			want := protected
			switch {
			case name == "hidden":
				want = noReport
			case s.Probe.Err != nil:
				want = unprotected
			}
			if status != want || errs.Len() > 0 {
				t.Errorf("%s: status %d, want %d; errors %q", name, status, want, errs.String())
			}
			file := filepath.Join("testdata", name+ext)
			if *update {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// A checkout may have the line ends of its system.
			text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
			if !bytes.Equal(out.Bytes(), text) {
				t.Errorf("%s is not what %s prints now; if that was meant, run the test with -update:\n%s", file, name, out.String())
			}
		}
	}
}

func TestWrongUsageIsStatusTwo(t *testing.T) {
	t.Parallel()
	never := func(int) (state, error) { t.Error("it examined the process"); return state{}, nil }
	for _, args := range [][]string{
		{"-yaml"}, {"now"}, {"-json", "x"}, {"-pid"}, {"-pid", "x"}, {"-pid", "0"}, {"-pid", "-1"}, {"-pid", "1", "2"}, {"-pid", "99999999999999999999"},
	} {
		var out, errs bytes.Buffer
		if got := run(args, never, &out, &errs); got != noReport || out.Len() > 0 || !strings.Contains(errs.String(), "usage: doctor") {
			t.Errorf("%q: status %d, output %q, errors %q", args, got, out.String(), errs.String())
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestReportThatCanNotBeWrittenIsNoSuccess(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	if got := run(nil, func(int) (state, error) { return strong(), nil }, fullDisk{}, &errs); got != noReport || !strings.Contains(errs.String(), "no space left") {
		t.Errorf("status %d, errors %q", got, errs.String())
	}
}

// Each finding says what it means in every case, and a weakness says how to fix it.
func TestFindingsFollowTheFacts(t *testing.T) {
	t.Parallel()
	for _, c := range []findingCase{
		{"exempt", "limit", good, func(s *state) { s.Limits.Exempt, s.Limits.Soft, s.Limits.Hard = true, 0, 0 }},
		{"cut", "limit", weak, func(s *state) { s.Limits.Budget = 1 << 20 }},
		{"less than a session takes", "limit", bad, func(s *state) { s.Limits.Budget = 3 * 4096 }},
		{"what a session takes", "limit", weak, func(s *state) { s.Limits.Budget = 4 * 4096 }},
		{"a whole number of odd pages", "limit", good, func(s *state) { s.Limits.PageSize, s.Limits.Budget = 768<<10, 10*768<<10 }},
		{"ENOSYS", "backend", weak, func(s *state) {
			s.Limits.BackendReason = "not available: memfd_secret: function not implemented"
		}},
		{"no swap", "swap", good, func(s *state) { s.Facts.Swap = platform.Swap{Present: platform.No} }},
		{"plain swap", "swap", weak, func(s *state) { s.Facts.Swap.Areas[0].Encrypted = platform.No }},
		{"swap not known", "swap", unknown, func(s *state) { s.Facts.Swap.Areas[0].Encrypted = platform.Unknown }},
		{"plain swap barred", "swap", good, func(s *state) { s.Facts.Swap.Areas[0].Encrypted, s.Facts.Swap.Barred = platform.No, true }},
		{"no swap table", "swap", unknown, func(s *state) { s.Facts.Swap = platform.Swap{} }},
		{"core of any size", "core", weak, func(s *state) { s.Facts.Tracing.Dumpable, s.Facts.Core.Limit = platform.Yes, locked.Unlimited }},
		{"core limit of 0", "core", good, func(s *state) { s.Facts.Tracing.Dumpable = platform.Yes }},
		{"core limit of 0 and a pipe", "core", weak, func(s *state) { s.Facts.Tracing.Dumpable, s.Facts.Core.Piped = platform.Yes, true }},
		{"core limit of 1 and a pipe", "core", good, func(s *state) {
			s.Facts.Tracing.Dumpable, s.Facts.Core.Piped, s.Facts.Core.Limit = platform.Yes, true, 1
		}},
		{"core limit of 1 and a socket", "core", weak, func(s *state) {
			s.Facts.Tracing.Dumpable, s.Facts.Core.Piped, s.Facts.Core.Limit, s.Facts.Core.Pattern = platform.Yes, true, 1, "@/run/core"
		}},
		{"core limit of 0 and no pattern to read", "core", unknown, func(s *state) { s.Facts.Tracing.Dumpable, s.Facts.Core = platform.Yes, platform.Core{Limited: true} }},
		{"dumped for root", "core", weak, func(s *state) { s.Facts.Core.Limit, s.Facts.Core.ForRoot = locked.Unlimited, true }},
		{"core not known", "core", unknown, func(s *state) { s.Facts.Tracing.Dumpable, s.Facts.Core = platform.Yes, platform.Core{} }},
		{"hibernation without memfd_secret", "hibernation", weak, func(s *state) { s.Limits.Backend = locked.Memfd }},
		{"no hibernation", "hibernation", good, func(s *state) { s.Limits.Backend, s.Facts.Hibernation.Possible = locked.Memfd, platform.No }},
		{"hibernation not known", "hibernation", unknown, func(s *state) { s.Facts.Hibernation.Possible = platform.Unknown }},
		{"dumpable behind Yama", "tracing", good, func(s *state) { s.Facts.Tracing.Dumpable = platform.Yes }},
		{"dumpable", "tracing", weak, func(s *state) { s.Facts.Tracing.Dumpable, s.Facts.Tracing.SameUser = platform.Yes, platform.Yes }},
		{"dumpable", "dumpable", note, func(s *state) { s.Facts.Tracing.Dumpable = platform.Yes }},
		{"not tried", "outside", unknown, func(s *state) { s.Probe.Outside = platform.Unknown }},
		{"readable", "outside", weak, func(s *state) {
			s.Probe.Outside, s.Limits.BackendReason = platform.Yes, "not available: memfd_secret: function not implemented"
		}},
		{"core limit of any size", "core", weak, func(s *state) { s.Facts.Tracing.Dumpable, s.Facts.Core.Limit = platform.Yes, 1<<20 }},
		{"without runtime/secret", "runtime-secret", note, func(s *state) { s.RuntimeSecret = platform.No }},
		{"no runtime/secret to have", "runtime-secret", note, func(s *state) { s.RuntimeSecret, s.Arch = platform.No, "s390x" }},
	} {
		s := strong()
		c.change(&s)
		c.check(t, s)
	}
	for _, c := range []findingCase{
		{"no pages", "lock", bad, func(s *state) { s.Process.Pages = platform.Pages{} }},
		{"pages that can't be seen", "lock", unknown, func(s *state) { s.Process.Pages, s.Process.PagesErr = platform.Pages{}, fs.ErrPermission }},
		{"pages that can't be seen, but are counted", "lock", good, func(s *state) {
			s.Process.Pages, s.Process.PagesErr, s.Process.Locked = platform.Pages{}, fs.ErrPermission, 4096
		}},
		{"memfd", "lock", good, func(s *state) { s.Process.Pages = platform.Pages{Memfd: 8192} }},
		{"memfd", "outside", weak, func(s *state) { s.Process.Pages = platform.Pages{Memfd: 8192} }},
		{"memfd", "backend", weak, func(s *state) {
			s.Process.Pages, s.Limits.Backend, s.Limits.BackendReason = platform.Pages{Memfd: 8192}, locked.Memfd, "it offers memfd_secret to the doctor"
		}},
		{"pages in dumps", "page-dumps", weak, func(s *state) { s.Process.Pages.Dumped = 4096 }},
		{"pages in children", "page-children", weak, func(s *state) { s.Process.Pages.Forked = 4096 }},
		{"no memory in dumps", "core", good, func(s *state) {
			s.Facts.Tracing.Dumpable, s.Facts.Core.Limit, s.Process.DumpFilter = platform.Yes, locked.Unlimited, 0x10
		}},
		{"some memory in dumps", "core", weak, func(s *state) {
			s.Facts.Tracing.Dumpable, s.Facts.Core.Limit, s.Process.DumpFilter = platform.Yes, locked.Unlimited, 0x11
		}},
		{"hibernation where pages can't be seen", "hibernation", unknown, func(s *state) {
			s.Process.Pages, s.Process.PagesErr, s.Limits.Backend = platform.Pages{}, fs.ErrPermission, ""
		}},
		{"not dumpable, or dumped for root", "core", weak, func(s *state) { s.Facts.Core.Limit, s.Process.Setuid = locked.Unlimited, "2" }},
		{"root's", "tracing", weak, func(s *state) {
			s.Process.UID, s.Facts.Tracing.Dumpable, s.Facts.Tracing.SameUser = 0, platform.Unknown, platform.Yes
		}},
		{"root's", "dumpable", unknown, func(s *state) { s.Process.UID, s.Facts.Tracing.Dumpable = 0, platform.Unknown }},
		{"dumpable", "dumpable", note, func(s *state) { s.Facts.Tracing.Dumpable = platform.Yes }},
		{"with privileges to gain", "privileges", note, func(s *state) { s.Process.NoNewPrivileges = platform.No }},
		{"with privileges unknown", "privileges", unknown, func(s *state) { s.Process.NoNewPrivileges = platform.Unknown }},
		{"without a filter", "seccomp", note, func(s *state) { s.Process.Filtered = platform.No }},
		{"with a filter unknown", "seccomp", unknown, func(s *state) { s.Process.Filtered = platform.Unknown }},
		{"how it was built unknown", "runtime-secret", unknown, func(s *state) { s.RuntimeSecret = platform.Unknown }},
	} {
		s := server()
		c.change(&s)
		c.check(t, s)
	}
	for _, s := range []state{strong(), server()} {
		for _, f := range diagnose(s) {
			if f.Status != good {
				t.Errorf("of a server on which nothing is left to fix: %+v", f)
			}
		}
	}
}

// What refuses other processes altogether and what a tracer reads must not contradict
// each other.
func TestTracingNamesWhatATracerReads(t *testing.T) {
	t.Parallel()
	for backend, want := range map[locked.Backend]string{
		locked.MemfdSecret: "can trace it and read everything except pages that hold secrets (",
		locked.Memfd:       "can trace it and read its memory (",
	} {
		s := strong()
		s.Limits.Backend, s.Facts.Tracing.Dumpable, s.Facts.Tracing.SameUser = backend, platform.Yes, platform.Yes
		if f := s.tracing(); !strings.Contains(f.Text, want) {
			t.Errorf("%s: %q", backend, f.Text)
		}
	}
}

// A findingCase is a change to a state, and a finding's status then.
type findingCase struct {
	name, finding, status string
	change                func(*state)
}

func (c findingCase) check(t *testing.T, s state) {
	t.Helper()
	findings := diagnose(s)
	i := slices.IndexFunc(findings, func(f finding) bool { return f.Name == c.finding })
	if i < 0 {
		t.Errorf("%s: no finding %q", c.name, c.finding)
		return
	}
	f := findings[i]
	if f.Status != c.status || f.Text == "" {
		t.Errorf("%s: %+v, want %s", c.name, f, c.status)
	}
	if f.Status == weak && len(f.Remedies) == 0 && f.Name != "page-children" || f.Status == good && len(f.Remedies) > 0 {
		t.Errorf("%s: %s has the remedies %q", c.name, f.Status, f.Remedies)
	}
}

// The real thing, on whatever this runs on: the statuses agree with what the
// library then does.
func TestThisProcessIsToldTheTruth(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	status := run([]string{"-json"}, examine, &out, io.Discard)
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	pool, err := locked.NewPool(locked.Config{})
	if err == nil {
		defer pool.Close()
		var b *locked.Buffer
		if b, err = pool.New(32); err == nil {
			defer b.Destroy()
		}
	}
	if (err == nil) != (status == protected) || r.Protected != (err == nil) {
		t.Errorf("status %d, protected %v, but locking gives %v", status, r.Protected, err)
	}
	if errors.Is(err, locked.ErrUnsupported) != (r.Limits == nil) {
		t.Errorf("limits %+v where locking gives %v", r.Limits, err)
	}
	if err == nil {
		if s := pool.Stats(); r.Limits.Budget != s.Budget || r.Limits.Backend != string(s.Backend) || r.Limits.BackendReason != s.BackendReason {
			t.Errorf("limits %+v, a pool says %+v", r.Limits, s)
		}
	}
	t.Log(out.String())
}
