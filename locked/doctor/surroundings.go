//go:build !ios

package main

import (
	"fmt"
	"strings"

	"github.com/memkeep/memkeep/internal/platform"
	"github.com/memkeep/memkeep/locked"
)

// swap: locked pages never go there. What else the process holds does: copies
// that its code made of a secret, what its cryptography derived of a key.
func (s state) swap() finding {
	f := s.swapAreas()
	if s.Process != nil && s.Process.SwappedOut > 0 && f.Status != good {
		f.Text += fmt.Sprintf(": %s of it is there now", limit(s.Process.SwappedOut))
	}
	return f
}

func (s state) swapAreas() finding {
	sw := s.Facts.Swap
	switch {
	case sw.Present == platform.No:
		return finding{"swap", good, "the system does not swap", nil}
	case sw.Barred:
		return finding{"swap", good, "the process's cgroup keeps it out of swap", nil}
	case len(sw.Areas) == 0 && sw.Present == platform.Yes:
		return finding{"swap", unknown, "the system swaps; whether it encrypts what it writes can't be read here", s.noSwap()}
	case len(sw.Areas) == 0:
		return finding{"swap", unknown, "whether the system swaps can't be read here", nil}
	}
	f := finding{Name: "swap", Status: good}
	var areas []string
	for _, a := range sw.Areas {
		state := ""
		switch {
		case a.Memory:
			state = "in main memory"
		case a.Encrypted == platform.Yes:
			state = "encrypted"
		case a.Encrypted == platform.No:
			state, f.Status = "not encrypted", weak
		default:
			state = "not known whether encrypted"
			if f.Status == good {
				f.Status = unknown
			}
		}
		areas = append(areas, a.Name+": "+state)
	}
	f.Text = strings.Join(areas, "; ")
	if f.Status != good {
		f.Text += "; locked pages stay out of it, the rest of the process's memory does not"
		f.Remedies = s.noSwap()
	}
	return f
}

func (s state) noSwap() []string {
	switch s.OS {
	case "linux", "android":
		return []string{
			"swapoff -a     (and remove it from /etc/fstab)",
			"swap /dev/sdX2 /dev/urandom swap,cipher=aes-xts-plain64,size=512     (in /etc/crypttab, with /dev/mapper/swap in /etc/fstab: a new key at each start)",
			"MemorySwapMax=0     (in its systemd unit, under [Service])",
			"docker run --memory=1g --memory-swap=1g ...     (the same figure twice: then its container does not swap)",
		}
	case "freebsd":
		return []string{"/dev/ada0p3.eli none swap sw 0 0     (in /etc/fstab: with the suffix .eli the system encrypts it, with a new key at each start)"}
	case "openbsd":
		return []string{"sysctl vm.swapencrypt.enable=1"}
	case "netbsd":
		return []string{"sysctl -w vm.swap_encrypt=1     (NetBSD 10 and later)"}
	case "windows":
		return []string{"fsutil behavior set encryptpagingfile 1     (as administrator; then restart)"}
	}
	return nil
}

// core: a dump holds everything but the locked pages, where the system can
// leave those out.
func (s state) core() finding {
	c := s.Facts.Core
	where := ""
	switch {
	case c.Pattern == "":
	case s.OS == "windows":
		where = fmt.Sprintf(" (%s)", c.Pattern)
	default:
		where = fmt.Sprintf(" (core pattern: %s)", c.Pattern)
	}
	switch {
	case s.Facts.Tracing.Dumpable == platform.No && !c.ForRoot && !s.dumpedForRoot():
		return finding{"core", good, "the process is not dumpable: a crash leaves no core dump", nil}
	case s.Process != nil && s.Process.HasDumpFilter && s.Process.DumpFilter&^elfHeaders == 0:
		return finding{"core", good, fmt.Sprintf("a core dump holds no memory (coredump_filter: %#x)", s.Process.DumpFilter), nil}
	case c.Off == platform.Yes && s.OS == "windows":
		return finding{"core", good, "Windows Error Reporting keeps no dumps here (no LocalDumps), and a Go program's crash reaches it only under GOTRACEBACK=wer", nil}
	case c.Off == platform.Yes:
		return finding{"core", good, "the system writes no core dumps", nil}
	case strings.HasPrefix(c.Pattern, "@"):
		return finding{"core", weak, "a crash sends the memory to a program behind a socket, whatever the core limit" + where, []string{notDumpable, corePattern}}
	case c.Piped && c.Limit != pipeRefused:
		return finding{"core", weak, "a crash sends the memory to a program, even at a core limit of 0" + where, append([]string{notDumpable}, s.noDumps()...)}
	case c.Limited && c.Limit <= pipeRefused && s.linux() && c.Off == platform.Unknown:
		return finding{"core", unknown, fmt.Sprintf("the core limit is %s, but whether core_pattern obeys it can't be read here", limit(c.Limit)), []string{notDumpable}}
	case c.Limited && c.Limit <= pipeRefused:
		return finding{"core", good, fmt.Sprintf("the core limit is %s: a crash leaves no core dump%s", limit(c.Limit), where), nil}
	case c.Limited && c.Limit == locked.Unlimited:
		return finding{"core", weak, "the core limit is unlimited: a crash leaves the memory on disk" + where, s.noDumps()}
	case c.Limited:
		return finding{"core", weak, fmt.Sprintf("the core limit is %s: a crash leaves as much of the memory on disk%s", limit(c.Limit), where), s.noDumps()}
	case c.Off == platform.No:
		return finding{"core", weak, "a crash leaves the memory on disk" + where, s.noDumps()}
	}
	return finding{"core", unknown, "whether a crash leaves a core dump can't be read here", s.noDumps()}
}

// elfHeaders is the bit of coredump_filter, in core(5), that has the first page of
// each mapped program and library in the dump: nothing that the process wrote.
const elfHeaders = 1 << 4

// dumpedForRoot reports whether a process that is not dumpable may still leave a
// dump that only root reads. From outside, one that made itself not dumpable, which
// leaves none, looks like one whose file grants privileges.
func (s state) dumpedForRoot() bool { return s.Process != nil && s.Process.Setuid == "2" }

// pipeRefused is the core limit, in bytes, at which Linux hands no dump to a
// program either, but for one behind a socket (@).
const pipeRefused = 1

func (s state) noDumps() []string {
	harden := "locked.Harden(locked.Hardening{NoCoreDumps: true})     (in the program, at its start)"
	switch s.OS {
	case "linux", "android":
		return []string{
			harden,
			"prlimit --core=1:1 PROGRAM     (to start it; one byte, since at 0 a program that core_pattern names still gets the dump)",
			"LimitCORE=1     (in its systemd unit, under [Service])",
			"docker run --ulimit core=1:1 ...     (for its container)",
		}
	case "darwin", "freebsd":
		return []string{harden, "ulimit -c 0     (in the shell that starts the process)", "sysctl kern.coredump=0     (as root)"}
	case "windows":
		return []string{harden, `reg delete "HKLM\SOFTWARE\Microsoft\Windows\Windows Error Reporting\LocalDumps"     (as administrator)`}
	}
	return []string{harden, "ulimit -c 0     (in the shell that starts the process)"}
}

// hibernation writes all of memory to disk, locked pages too, but for those of
// memfd_secret: the kernel does not hibernate while there are any.
func (s state) hibernation() finding {
	h := s.Facts.Hibernation
	why := ""
	if h.Why != "" {
		why = " (" + h.Why + ")"
	}
	switch {
	case h.Possible == platform.No:
		return finding{"hibernation", good, "the system does not hibernate" + why, nil}
	case h.Possible == platform.Unknown:
		return finding{"hibernation", unknown, "whether the system hibernates can't be read here" + why, nil}
	case s.LimitsErr == nil && s.Limits.Backend == locked.MemfdSecret:
		return finding{"hibernation", good, "the system can hibernate" + why + ", but not while memfd_secret pages are mapped", nil}
	case s.Process != nil && s.Process.PagesErr != nil:
		return finding{"hibernation", unknown, "the system can hibernate" + why + ", unless the process has memfd_secret pages mapped, which could not be seen", nil}
	}
	f := finding{"hibernation", weak, "the system can hibernate: it writes all memory to disk, locked pages too" + why, nil}
	switch s.OS {
	case "linux", "android":
		f.Remedies = []string{
			"systemctl mask hibernate.target hybrid-sleep.target suspend-then-hibernate.target",
			"nohibernate     (on the kernel's command line)",
		}
	case "darwin":
		f.Remedies = []string{"pmset -a hibernatemode 0     (as root)"}
	case "windows":
		f.Remedies = []string{"powercfg /hibernate off     (as administrator)"}
	}
	return f
}

// tracing: a debugger reads all memory but memfd_secret's pages, and can make the
// process open any secret.
func (s state) tracing() finding {
	t := s.Facts.Tracing
	why := ""
	if t.Why != "" {
		why = " (" + t.Why + ")"
	}
	switch {
	case t.Dumpable == platform.No:
		return finding{"tracing", good, "the process is not dumpable: only root can trace it", nil}
	case t.SameUser == platform.No:
		return finding{"tracing", good, "another process of the same user can't trace it" + why, nil}
	case t.SameUser == platform.Unknown:
		return finding{"tracing", unknown, "whether another process of the same user can trace it can't be read here" + why, nil}
	}
	rest := "its memory"
	if s.LimitsErr == nil && s.Limits.Backend == locked.MemfdSecret {
		rest = "everything except pages that hold secrets"
	}
	if s.Process != nil && s.Process.UID == 0 {
		return finding{"tracing", weak, "the process runs as root: any other of root's can trace it and read " + rest + why, []string{ownUser, notDumpable}}
	}
	f := finding{"tracing", weak, "any process of the same user can trace it and read " + rest + why, nil}
	switch s.OS {
	case "linux", "android":
		f.Remedies = []string{notDumpable, "sysctl -w kernel.yama.ptrace_scope=1     (and in /etc/sysctl.d, where the kernel has Yama)"}
	case "freebsd":
		f.Remedies = []string{notDumpable, "sysctl security.bsd.unprivileged_proc_debug=0     (as root)"}
	case "openbsd":
		f.Remedies = []string{"sysctl kern.global_ptrace=0     (as root)"}
	default:
		f.Remedies = []string{ownUser}
	}
	return f
}

const ownUser = "a user of its own     (that no other program runs as; User= in its systemd unit, runAsUser in Kubernetes)"

const corePattern = "sysctl -w kernel.core_pattern=core     (and in /etc/sysctl.d: for the whole system, files, which obey the core limit)"

const notDumpable = "locked.Harden(locked.Hardening{NotDumpable: true})     (in the program, at its start; then no debugger or profiler attaches)"

func (s state) dumpable() finding {
	switch s.Facts.Tracing.Dumpable {
	case platform.No:
		return finding{"dumpable", good, "only root can dump or trace the process", nil}
	case platform.Yes:
		// Who may use that shows in the findings core and tracing.
		if s.Process != nil {
			return finding{"dumpable", note, "the process lets its core be dumped and itself be traced, as every program does at its start", []string{notDumpable}}
		}
		return finding{"dumpable", note, "every program starts dumpable, and so does this one; what a server does about it, doctor -pid shows", []string{notDumpable}}
	}
	if s.Process != nil && s.linux() {
		return finding{"dumpable", unknown, "of a process that runs as root the system does not show it", nil}
	}
	return finding{"dumpable", unknown, s.OS + " does not show it", nil}
}

func (s state) privileges() finding {
	switch s.Process.NoNewPrivileges {
	case platform.Yes:
		return finding{"privileges", good, "the process and its children can't gain privileges (no_new_privs)", nil}
	case platform.No:
		return finding{"privileges", note, "the process can gain privileges by running a set-user-ID program", []string{
			"NoNewPrivileges=yes     (in its systemd unit; in Kubernetes, allowPrivilegeEscalation: false)",
			"docker run --security-opt no-new-privileges ...     (for its container)",
		}}
	}
	return finding{"privileges", unknown, "whether the process can gain privileges can't be read here", nil}
}

func (s state) seccomp() finding {
	switch s.Process.Filtered {
	case platform.Yes:
		return finding{"seccomp", good, "the process's system calls are filtered", nil}
	case platform.No:
		return finding{"seccomp", note, "the process may make every system call", []string{
			"SystemCallFilter=@system-service memfd_secret     (in its systemd unit; in Kubernetes, seccompProfile)",
		}}
	}
	return finding{"seccomp", unknown, "whether the process's system calls are filtered can't be read here", nil}
}
