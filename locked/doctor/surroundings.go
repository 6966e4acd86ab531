//go:build !ios

package main

import (
	"fmt"
	"strings"

	"github.com/memkeep/memkeep/internal/platform"
)

// swap: locked pages never go there. What else the process holds does: copies
// that its code made of a secret, what its cryptography derived of a key.
func (s state) swap() finding {
	sw := s.Facts.Swap
	switch {
	case sw.Present == platform.No:
		return finding{"swap", good, "the system does not swap", nil}
	case sw.Barred:
		return finding{"swap", good, "this process's cgroup keeps it out of swap", nil}
	case len(sw.Areas) == 0 && sw.Present == platform.Yes:
		return finding{"swap", unknown, "the system swaps; whether what it writes is encrypted can't be read here", s.noSwap()}
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
			state = "encrypted or not: unknown"
			if f.Status == good {
				f.Status = unknown
			}
		}
		areas = append(areas, a.Name+": "+state)
	}
	f.Text = strings.Join(areas, "; ")
	if f.Status != good {
		f.Text += "; locked pages stay out of it, what else this process holds does not"
		f.Remedies = s.noSwap()
	}
	return f
}

func (s state) noSwap() []string {
	switch s.OS {
	case "linux", "android":
		return []string{
			"swapoff -a     (and take it out of /etc/fstab)",
			"swap /dev/sdX2 /dev/urandom swap,cipher=aes-xts-plain64,size=512     (/etc/crypttab, and /dev/mapper/swap in /etc/fstab: cryptsetup makes a key at each start)",
			"MemorySwapMax=0     (its systemd unit, under [Service])",
			"docker run --memory=1g --memory-swap=1g ...     (the same figure for both: its container does not swap)",
		}
	case "freebsd":
		return []string{"/dev/ada0p3.eli none swap sw 0 0     (/etc/fstab: the suffix .eli encrypts with a key of the moment)"}
	case "openbsd":
		return []string{"sysctl vm.swapencrypt.enable=1"}
	case "netbsd":
		return []string{"sysctl -w vm.swap_encrypt=1     (NetBSD 10 and later)"}
	case "windows":
		return []string{"fsutil behavior set encryptpagingfile 1     (as administrator, then restart)"}
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
	case s.Facts.Tracing.Dumpable == platform.No && !c.ForRoot:
		return finding{"core", good, "this process is not dumpable: it leaves no core", nil}
	case c.Off == platform.Yes && s.OS == "windows":
		return finding{"core", good, "Windows Error Reporting keeps no dumps here (no LocalDumps), and a Go program's crash reaches it only under GOTRACEBACK=wer", nil}
	case c.Off == platform.Yes:
		return finding{"core", good, "the system writes no core dumps", nil}
	case strings.HasPrefix(c.Pattern, "@"):
		return finding{"core", weak, "a crash hands the memory to a program behind a socket, whatever the core limit" + where, []string{notDumpable, corePattern}}
	case c.Piped && c.Limit != pipeRefused:
		return finding{"core", weak, "a crash hands the memory to a program, even at a core limit of 0" + where, append([]string{notDumpable}, s.noDumps()...)}
	case c.Limited && c.Limit <= pipeRefused && s.linux() && c.Off == platform.Unknown:
		return finding{"core", unknown, fmt.Sprintf("the core limit is %s, but whether core_pattern heeds it can't be read here", limit(c.Limit)), []string{notDumpable}}
	case c.Limited && c.Limit <= pipeRefused:
		return finding{"core", good, fmt.Sprintf("the core limit is %s: a crash leaves no core%s", limit(c.Limit), where), nil}
	case c.Limited:
		return finding{"core", weak, fmt.Sprintf("the core limit is %s: a crash leaves the memory on disk%s", limit(c.Limit), where), s.noDumps()}
	case c.Off == platform.No:
		return finding{"core", weak, "a crash leaves the memory on disk" + where, s.noDumps()}
	}
	return finding{"core", unknown, "whether a crash leaves a core can't be read here", s.noDumps()}
}

// pipeRefused is the core limit, in bytes, at which Linux hands no dump to a
// program either, but for one behind a socket (@).
const pipeRefused = 1

func (s state) noDumps() []string {
	harden := "locked.Harden(locked.Hardening{NoCoreDumps: true})     (in the program, at its start)"
	switch s.OS {
	case "linux", "android":
		return []string{
			harden,
			"prlimit --core=1:1 PROGRAM     (how it is started; one byte, since a program that core_pattern names gets a dump at 0)",
			"LimitCORE=1     (its systemd unit, under [Service])",
			"docker run --ulimit core=1:1 ...     (its container)",
		}
	case "darwin", "freebsd":
		return []string{harden, "ulimit -c 0     (the shell that starts the process)", "sysctl kern.coredump=0     (as root)"}
	case "windows":
		return []string{harden, `reg delete "HKLM\SOFTWARE\Microsoft\Windows\Windows Error Reporting\LocalDumps"     (as administrator)`}
	}
	return []string{harden, "ulimit -c 0     (the shell that starts the process)"}
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
	case s.LimitsErr == nil && s.Limits.Backend == "memfd_secret":
		return finding{"hibernation", good, "the system can hibernate" + why + ", but not while memfd_secret pages are mapped", nil}
	}
	f := finding{"hibernation", weak, "the system can write all of memory to disk, locked pages too" + why, nil}
	switch s.OS {
	case "linux", "android":
		f.Remedies = []string{
			"systemctl mask hibernate.target hybrid-sleep.target suspend-then-hibernate.target",
			"nohibernate     (the kernel's command line)",
		}
	case "darwin":
		f.Remedies = []string{"pmset -a hibernatemode 0     (as root)"}
	case "windows":
		f.Remedies = []string{"powercfg /hibernate off     (as administrator)"}
	}
	return f
}

// tracing: a debugger reads everything, and can make the process open any
// secret.
func (s state) tracing() finding {
	t := s.Facts.Tracing
	why := ""
	if t.Why != "" {
		why = " (" + t.Why + ")"
	}
	switch {
	case t.Dumpable == platform.No:
		return finding{"tracing", good, "this process is not dumpable: only root can trace it", nil}
	case t.SameUser == platform.No:
		return finding{"tracing", good, "another process of the same user can't attach to this one" + why, nil}
	case t.SameUser == platform.Unknown:
		return finding{"tracing", unknown, "whether another process of the same user can attach can't be read here" + why, nil}
	}
	f := finding{"tracing", weak, "any process of the same user can attach to this one and read it" + why, nil}
	switch s.OS {
	case "linux", "android":
		f.Remedies = []string{notDumpable, "sysctl -w kernel.yama.ptrace_scope=1     (and in /etc/sysctl.d; needs a kernel with Yama)"}
	case "freebsd":
		f.Remedies = []string{notDumpable, "sysctl security.bsd.unprivileged_proc_debug=0     (as root)"}
	case "openbsd":
		f.Remedies = []string{"sysctl kern.global_ptrace=0     (as root)"}
	default:
		f.Remedies = []string{ownUser}
	}
	return f
}

const ownUser = "a user of its own     (for the server alone, that no other process runs as)"

const corePattern = "sysctl -w kernel.core_pattern=core     (and in /etc/sysctl.d: files, which heed the core limit, for the whole system)"

const notDumpable = "locked.Harden(locked.Hardening{NotDumpable: true})     (in the program, at its start; no debugger or profiler attaches then)"

func (s state) dumpable() finding {
	switch s.Facts.Tracing.Dumpable {
	case platform.No:
		return finding{"dumpable", good, "this process lets nobody but root dump or trace it", nil}
	case platform.Yes:
		// Whoever may use that shows in the findings core and tracing. What
		// is asked for ends with the program that did: it never shows here.
		return finding{"dumpable", note, "every program starts dumpable, this one too; a server takes that back by itself", []string{notDumpable}}
	}
	return finding{"dumpable", unknown, s.OS + " does not tell", nil}
}
