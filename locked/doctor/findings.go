//go:build !ios

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/memkeep/memkeep/internal/platform"
	"github.com/memkeep/memkeep/locked"
)

// finding is one thing that bears on secrets in memory.
type finding struct {
	Name     string   `json:"name"`
	Status   string   `json:"status"`
	Text     string   `json:"text"`
	Remedies []string `json:"remedies,omitempty"`
}

// The values of a finding's status.
const (
	good    = "good"
	weak    = "weak"
	bad     = "bad"
	unknown = "unknown"
	note    = "note"
)

// diagnose makes the findings of s: first what the library does, then what the
// system around it does with the rest of the process's memory.
func diagnose(s state) []finding {
	findings := []finding{s.lock()}
	if s.LimitsErr == nil {
		findings = append(findings, s.limit(), s.backend(), s.outside(), s.pageDumps(), s.pageChildren())
	}
	findings = append(findings, s.swap(), s.core(), s.hibernation(), s.tracing(), s.dumpable())
	if c := s.Facts.Container; c != "" {
		findings = append(findings, finding{"container", note, "this process runs inside of " + c +
			": its engine sets the limits, and the host decides on swap, core_pattern and every other sysctl", nil})
	}
	return findings
}

// lock is what came of really locking something.
func (s state) lock() finding {
	if s.Probe.Err == nil {
		return finding{"lock", good, fmt.Sprintf("what a session takes, %s, was locked, written, made read-only, and given back",
			size(s.Probe.Locked)), nil}
	}
	f := finding{"lock", bad, fmt.Sprintf("what a session takes could not be locked: %v", s.Probe.Err), nil}
	if errors.Is(s.Probe.Err, locked.ErrUnsupported) {
		f.Text = fmt.Sprintf("%s offers no memory that this library can lock, and every call says so: %v", s.OS, s.Probe.Err)
		return f
	}
	var refused *locked.LimitError
	if errors.As(s.Probe.Err, &refused) {
		f.Text = fmt.Sprintf("the least that a session takes, %s, could not be locked: %s",
			size(sessionPages*s.Limits.PageSize), s.bounds(refused.Soft, refused.Hard))
	}
	if s.Limits.Budget >= sessionPages*s.Limits.PageSize { // else the finding of the limit says it
		f.Remedies = s.raiseLimit()
	}
	return f
}

// bounds says what limits locking, in the system's terms.
func (s state) bounds(soft, hard uint64) string {
	switch {
	case s.OS != "windows":
		return fmt.Sprintf("soft limit %s, hard limit %s", limit(soft), limit(hard))
	case hard == locked.Unlimited:
		return fmt.Sprintf("minimum working set %s, which a pool raises as it locks", limit(soft))
	}
	return fmt.Sprintf("minimum working set %s, which a pool may raise to %s", limit(soft), limit(hard))
}

func (s state) limit() finding {
	l := s.Limits
	if l.Exempt {
		return finding{"limit", good, fmt.Sprintf("%s, and exempt from both (CAP_IPC_LOCK): a pool gets its %s", s.bounds(l.Soft, l.Hard), size(l.Budget)), nil}
	}
	f := finding{"limit", good, fmt.Sprintf("%s: a pool gets %s of the %s it asks for by default",
		s.bounds(l.Soft, l.Hard), size(l.Budget), size(locked.DefaultLockedBytes)), nil}
	switch {
	case l.Budget < sessionPages*l.PageSize:
		f.Text += fmt.Sprintf("; a session takes at least %s", size(sessionPages*l.PageSize))
		f.Status, f.Remedies = bad, s.raiseLimit()
	case l.Budget < locked.DefaultLockedBytes/l.PageSize*l.PageSize:
		f.Text += "; any number of secrets still works, few can be open at once"
		f.Status, f.Remedies = weak, s.raiseLimit()
	}
	return f
}

// raiseLimit is how a process comes to lock more.
func (s state) raiseLimit() []string {
	switch s.OS {
	case "windows":
		return []string{
			"JOB_OBJECT_LIMIT_WORKINGSET     (to be lifted from the process's job object: a pool raises the minimum working set itself)",
			"SeIncreaseWorkingSetPrivilege     (\"Increase a process working set\" for its user, in secpol.msc, User Rights Assignment)",
		}
	case "linux", "android":
		return []string{
			"ulimit -l unlimited     (as root, the shell that starts the process; a figure would be in KiB)",
			"LimitMEMLOCK=infinity     (its systemd unit, under [Service])",
			"docker run --ulimit memlock=-1:-1 ...     (its container; compose: ulimits: memlock: -1)",
			"LimitMEMLOCK=infinity     (kubernetes has no field for it: the container runtime's systemd unit on the node)",
			"@users hard memlock unlimited     (/etc/security/limits.conf, for logins)",
			"setcap cap_ipc_lock+ep /path/to/program     (or the capability IPC_LOCK for its container)",
		}
	case "freebsd", "netbsd", "openbsd":
		return []string{
			"ulimit -l unlimited     (as root, the shell that starts the process; a figure would be in KiB)",
			":memorylocked=unlimited:     (its class in /etc/login.conf)",
		}
	}
	return []string{"ulimit -l unlimited     (as root, the shell that starts the process)"}
}

func (s state) backend() finding {
	l := s.Limits
	switch {
	case !s.linux():
		return finding{"backend", good, fmt.Sprintf("%s: the only mechanism of %s", l.Backend, s.OS), nil}
	case l.BackendReason == "":
		return finding{"backend", good, string(l.Backend) + ", the best one", nil}
	}
	return finding{"backend", weak, fmt.Sprintf("%s; for a better one the system answers: %s", l.Backend, l.BackendReason), s.allowSecretMemory()}
}

func (s state) linux() bool { return s.OS == "linux" || s.OS == "android" }

// allowSecretMemory is how memfd_secret is to be had, by what the system
// answers without.
func (s state) allowSecretMemory() []string {
	reason := s.Limits.BackendReason
	switch {
	case strings.Contains(reason, "not permitted"), strings.Contains(reason, "denied"):
		return []string{
			"docker run --security-opt seccomp=profile.json ...     (a profile that allows memfd_secret and memfd_create)",
			"SystemCallFilter=memfd_secret memfd_create     (its systemd unit, below the SystemCallFilter= that is there: alone it would forbid everything else)",
		}
	case strings.Contains(reason, "not implemented"):
		return []string{"secretmem.enable=1     (the kernel's command line, Linux 5.14 to 6.4; later kernels have it unless it is 0)"}
	}
	return nil
}

func (s state) outside() finding {
	switch {
	case s.Probe.Outside == platform.No:
		return finding{"outside", good, "the kernel refuses to read an open page for anybody: /proc/self/mem was tried", nil}
	case s.Probe.Outside == platform.Yes:
		return finding{"outside", weak, "who may trace this process, root always, can read an open page: /proc/self/mem was tried", s.allowSecretMemory()}
	case s.linux():
		why := ""
		if s.Probe.OutsideErr != nil {
			why = ": " + s.Probe.OutsideErr.Error()
		}
		return finding{"outside", unknown, "whether another process can read an open page could not be tried" + why, nil}
	}
	return finding{"outside", note, s.OS + " has no memory that its administrator can't read from another process", nil}
}

func (s state) pageDumps() finding {
	switch call := s.Limits.DumpExclusion; {
	case call != "":
		return finding{"page-dumps", good, "locked pages are kept out of core dumps (" + call + ")", nil}
	case s.core().Status == good:
		return finding{"page-dumps", note, "locked pages would be in a core dump, but none is written", nil}
	case s.OS == "windows":
		return finding{"page-dumps", weak, "locked pages are in a full dump of this process, if one is written", s.noDumps()}
	}
	return finding{"page-dumps", weak, s.OS + " can't keep single pages out of a core dump", s.noDumps()}
}

func (s state) pageChildren() finding {
	switch call := s.Limits.ForkExclusion; {
	case call != "":
		return finding{"page-children", good, "locked pages are kept out of child processes (" + call + ")", nil}
	case s.OS == "windows":
		return finding{"page-children", good, "windows makes no child process a copy of its parent's memory", nil}
	}
	return finding{"page-children", weak, "a child process has a copy of locked pages between fork and exec", nil}
}

// size prints bytes as people do.
func size(n int) string { return limit(uint64(n)) }

func limit(n uint64) string {
	switch {
	case n == locked.Unlimited:
		return "unlimited"
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
