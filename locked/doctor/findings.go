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
		findings = append(findings, s.limit())
		if s.Process == nil || s.Process.Pages.Total() > 0 {
			findings = append(findings, s.backend(), s.outside(), s.pageDumps(), s.pageChildren())
		}
	}
	findings = append(findings, s.runtimeSecret(), s.swap(), s.core(), s.hibernation(), s.tracing(), s.dumpable())
	if s.Process != nil {
		findings = append(findings, s.privileges(), s.seccomp())
	}
	if c := s.Facts.Container; c != "" {
		findings = append(findings, finding{"container", note, "the process runs in a container (" + c +
			"): its engine sets the limits, and the host decides on swap, core_pattern and every other sysctl", nil})
	}
	return findings
}

// lock is what came of really locking something, or what another process has
// locked.
func (s state) lock() finding {
	if s.Process != nil {
		return s.lockOf(*s.Process)
	}
	if s.Probe.Err == nil {
		return finding{"lock", good, fmt.Sprintf("the smallest session, %s, was locked, written, made read-only and released",
			size(s.Probe.Locked)), nil}
	}
	f := finding{"lock", bad, fmt.Sprintf("the smallest session could not be locked: %v", s.Probe.Err), nil}
	if errors.Is(s.Probe.Err, locked.ErrUnsupported) {
		f.Text = fmt.Sprintf("this library can't lock memory on %s, and every call returns: %v", s.OS, s.Probe.Err)
		f.Remedies = []string{allowUnlocked}
		return f
	}
	var refused *locked.LimitError
	if errors.As(s.Probe.Err, &refused) {
		f.Text = fmt.Sprintf("the smallest session, %s, could not be locked: %s",
			size(sessionPages*s.Limits.PageSize), s.bounds(refused.Soft, refused.Hard))
	}
	if s.Limits.Budget >= sessionPages*s.Limits.PageSize { // else the finding of the limit says it
		f.Remedies = s.raiseLimit()
	}
	f.Remedies = append(f.Remedies, allowUnlocked)
	return f
}

// allowUnlocked is the last remedy.
const allowUnlocked = "enclave.Config{AllowUnlocked: true}     (in the program, if no lock can be had: secrets stay encrypted at rest, " +
	"but open ones and the key may be written to swap)"

func (s state) lockOf(p platform.Process) finding {
	counted := fmt.Sprintf("VmLck is %s", limit(p.Locked))
	switch n := p.Pages; {
	case p.PagesErr != nil && p.Locked > 0:
		return finding{"lock", good, fmt.Sprintf("the process holds locked memory (%s); which pages, only those who may trace it can see: %v", counted, p.PagesErr), nil}
	case p.PagesErr != nil:
		return finding{"lock", unknown, fmt.Sprintf("whether the process holds locked memory could not be seen: %v", p.PagesErr), []string{asRoot}}
	case n.Secret > 0:
		return finding{"lock", good, fmt.Sprintf("the process has %s of memfd_secret pages mapped, which are always locked (%s)", size(n.Secret), counted), nil}
	case n.Total() > 0:
		return finding{"lock", good, fmt.Sprintf("the process holds locked memory (%s)", counted), nil}
	}
	return finding{"lock", bad, "the process holds no locked memory: it does not use this library, has not used it yet, or runs with AllowUnlocked", nil}
}

const asRoot = "sudo doctor -pid ...     (as root: the system shows the pages of a process to those who may trace it)"

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
		return finding{"limit", good, fmt.Sprintf("%s, and exempt from both (CAP_IPC_LOCK): a pool gets the %s it asks for by default", s.bounds(l.Soft, l.Hard), size(l.Budget)), nil}
	}
	f := finding{"limit", good, fmt.Sprintf("%s: a pool gets %s of the %s it asks for by default",
		s.bounds(l.Soft, l.Hard), size(l.Budget), size(locked.DefaultLockedBytes)), nil}
	switch {
	case l.Budget < sessionPages*l.PageSize:
		f.Text += fmt.Sprintf("; a session takes at least %s", size(sessionPages*l.PageSize))
		f.Status, f.Remedies = bad, s.raiseLimit()
	case l.Budget < locked.DefaultLockedBytes/l.PageSize*l.PageSize:
		f.Text += "; you can hold any number of secrets, but few can be open at once"
		f.Status, f.Remedies = weak, s.raiseLimit()
	}
	return f
}

// raiseLimit is how a process comes to lock more.
func (s state) raiseLimit() []string {
	switch s.OS {
	case "windows":
		return []string{
			"JOB_OBJECT_LIMIT_WORKINGSET     (remove it from the process's job object: a pool raises the minimum working set itself)",
			"SeIncreaseWorkingSetPrivilege     (\"Increase a process working set\", for the process's user: secpol.msc, User Rights Assignment)",
		}
	case "linux", "android":
		return []string{
			"ulimit -l 8192     (in KiB; as root, in the shell that starts the process)",
			"LimitMEMLOCK=8M     (in its systemd unit, under [Service])",
			"docker run --ulimit memlock=8388608:8388608 ...     (for its container; in compose, ulimits: memlock: 8388608)",
			"containerd.service: LimitMEMLOCK=8M     (Kubernetes has no field for it: set it for the container runtime, on the node)",
			"@users hard memlock 8192     (in KiB; /etc/security/limits.conf, for logins)",
			"setcap cap_ipc_lock+ep /path/to/program     (or add the capability IPC_LOCK to its container)",
		}
	case "freebsd", "netbsd", "openbsd":
		return []string{
			"ulimit -l 8192     (in KiB; as root, in the shell that starts the process)",
			":memorylocked=8M:     (in its class, in /etc/login.conf)",
		}
	}
	return []string{"ulimit -l unlimited     (as root, in the shell that starts the process)"}
}

func (s state) backend() finding {
	l := s.Limits
	switch {
	case !s.linux():
		return finding{"backend", good, fmt.Sprintf("%s, the only mechanism on %s", l.Backend, s.OS), nil}
	case l.BackendReason == "":
		return finding{"backend", good, string(l.Backend) + ", the best mechanism", nil}
	}
	return finding{"backend", weak, fmt.Sprintf("%s; about a better mechanism the system says: %s", l.Backend, l.BackendReason), s.allowSecretMemory()}
}

func (s state) linux() bool { return s.OS == "linux" || s.OS == "android" }

// allowSecretMemory is how memfd_secret is to be had, by what the system
// answers without.
func (s state) allowSecretMemory() []string {
	reason := s.Limits.BackendReason
	switch {
	case strings.Contains(reason, "not permitted"), strings.Contains(reason, "denied"):
		return []string{
			"docker run --security-opt seccomp=profile.json ...     (with a profile that allows memfd_secret and memfd_create)",
			"SystemCallFilter=memfd_secret memfd_create     (in its systemd unit, below the SystemCallFilter= that is there: alone it would forbid everything else)",
		}
	case strings.Contains(reason, "not implemented"):
		return []string{"secretmem.enable=1     (on the kernel's command line, Linux 5.14 to 6.4; later kernels have it unless it is 0)"}
	}
	return []string{"locked.Config{Backend: \"\"}     (in the program: leave the choice of the mechanism to the library)"}
}

// outside says who can read the pages of open secrets. Who can read all the rest
// is the finding tracing.
func (s state) outside() finding {
	const secret = "no other process can read the pages that hold secrets, not even root's"
	switch {
	case s.Process != nil && s.Process.Pages.Secret > 0:
		return finding{"outside", good, secret + ": they are memfd_secret's", nil}
	case s.Probe.Outside == platform.No:
		return finding{"outside", good, secret + " (tried with /proc/self/mem)", nil}
	case s.Process != nil:
		return finding{"outside", weak, "whoever may trace the process, root always, can read the pages of open secrets", s.allowSecretMemory()}
	case s.Probe.Outside == platform.Yes:
		return finding{"outside", weak, "whoever may trace the process, root always, can read the pages of open secrets (tried with /proc/self/mem)", s.allowSecretMemory()}
	case s.linux():
		why := ""
		if s.Probe.OutsideErr != nil {
			why = ": " + s.Probe.OutsideErr.Error()
		}
		return finding{"outside", unknown, "whether another process can read the pages of open secrets could not be tried" + why, nil}
	}
	return finding{"outside", note, "on " + s.OS + " an administrator can read all memory of any process", nil}
}

func (s state) pageDumps() finding {
	call := s.Limits.DumpExclusion
	switch {
	case s.Process != nil && s.Process.Pages.Dumped > 0:
		return finding{"page-dumps", weak, fmt.Sprintf("%s of locked pages may be in a core dump: they lack %s", size(s.Process.Pages.Dumped), call), s.noDumps()}
	case call != "":
		return finding{"page-dumps", good, "locked pages are excluded from core dumps (" + call + ")", nil}
	case s.core().Status == good:
		return finding{"page-dumps", note, "locked pages would be in a core dump, but none is written", nil}
	case s.OS == "windows":
		return finding{"page-dumps", weak, "locked pages are in a full dump of the process, if one is written", s.noDumps()}
	}
	return finding{"page-dumps", weak, s.OS + " can't exclude single pages from a core dump", s.noDumps()}
}

func (s state) pageChildren() finding {
	call := s.Limits.ForkExclusion
	switch {
	case s.Process != nil && s.Process.Pages.Forked > 0:
		return finding{"page-children", weak, fmt.Sprintf("a child process gets %s of locked pages: they lack %s", size(s.Process.Pages.Forked), call), nil}
	case call != "":
		return finding{"page-children", good, "child processes don't inherit locked pages (" + call + ")", nil}
	case s.OS == "windows":
		return finding{"page-children", good, "child processes don't inherit memory on Windows", nil}
	}
	return finding{"page-children", weak, "a child process has a copy of locked pages between fork and exec", nil}
}

// runtimeSecret is about what the program's own functions leave behind, which
// locked pages don't cover.
func (s state) runtimeSecret() finding {
	const name = "runtime-secret"
	switch {
	case s.RuntimeSecret == platform.Yes:
		return finding{name, good, "functions given to Use run inside runtime/secret, which wipes the stack, registers and heap memory they used, except where a session has NoRuntimeSecret", nil}
	case !s.linux() || s.Arch != "amd64" && s.Arch != "arm64":
		return finding{name, note, "runtime/secret, which wipes what functions given to Use leave on stack and heap, exists only on Linux on amd64 and arm64", nil}
	case s.RuntimeSecret == platform.Unknown:
		return finding{name, unknown, "how the program was built could not be read", nil}
	case s.Process == nil:
		return finding{name, note, "the doctor is built without runtime/secret, and a server may be too: then what functions given to Use leave on stack and heap is not wiped", []string{buildSecret}}
	}
	return finding{name, note, "the program is built without runtime/secret: what functions given to Use leave on stack and heap is not wiped; what enclave/keys does is", []string{buildSecret}}
}

const buildSecret = "GOEXPERIMENT=runtimesecret go build ...     (an experiment of Go 1.26 and later; or sign and decrypt with enclave/keys, which needs none)"

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
	case n == 1:
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}
