package report

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/memkeep/memkeep/locked"
)

// Observe fills in what there is to say of this machine and this program.
func Observe(command string) Environment {
	e := Environment{
		Date:       time.Now().UTC().Truncate(time.Second),
		Command:    command,
		Commit:     commit(),
		Go:         runtime.Version(),
		OS:         runtime.GOOS + "/" + runtime.GOARCH,
		Kernel:     firstLine("/proc/sys/kernel/osrelease"),
		CPU:        field("/proc/cpuinfo", "model name"),
		Processor:  Processor(),
		Cores:      runtime.NumCPU(),
		GOMAXPROCS: runtime.GOMAXPROCS(0),
		PageSize:   os.Getpagesize(),
		Modules:    modules(),
		ClockNs:    clock(),
		LoadBefore: Load(),
		Mappings:   firstLine("/proc/sys/vm/max_map_count"),
	}
	if kib, err := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		e.Memory = kib << 10
	}
	if l, err := locked.CurrentLimits(); err == nil {
		e.LockSoft, e.LockHard, e.Exempt = limit(l.Soft), limit(l.Hard), l.Exempt
		e.Backend = string(l.Backend)
	}
	return e
}

func limit(v uint64) string {
	if v == locked.Unlimited {
		return "unlimited"
	}
	return strconv.FormatUint(v, 10)
}

// commit names the tree that was measured, and says so if it has changes.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// modules returns the versions of what was compiled in.
func modules() map[string]string {
	m := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	for _, d := range info.Deps {
		m[d.Path] = d.Version
	}
	return m
}

// clock returns what one look at the clock takes, in ns.
func clock() float64 {
	const looks = 100_000
	began := time.Now()
	for range looks {
		_ = time.Now()
	}
	return float64(time.Since(began)) / looks
}

// Load returns the load averages of 1, 5 and 15 minutes: a machine that was busy
// otherwise shows here.
func Load() string {
	fields := strings.Fields(firstLine("/proc/loadavg"))
	if len(fields) < 3 {
		return ""
	}
	return strings.Join(fields[:3], " ")
}

// Steal returns the processors' time so far, and the part of it that a
// hypervisor gave to others, in ticks.
func Steal() (stolen, total float64) {
	for i, f := range strings.Fields(firstLine("/proc/stat")) {
		v, err := strconv.ParseFloat(f, 64)
		if i == 0 || i > 8 || err != nil {
			continue // the name; guest time, which is within user time
		}
		total += v
		if i == 8 {
			stolen = v
		}
	}
	return stolen, total
}

func firstLine(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return line
}

// field returns the value of the first line "name : value", "" without.
func field(path, name string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Machine is the environment in one line.
func (e Environment) Machine() string {
	cpu := e.CPU
	if cpu == "" {
		cpu = "unknown processor"
	}
	machine := fmt.Sprintf("%s, %d cores, %s", cpu, e.Cores, e.OS)
	if e.Kernel != "" {
		machine += ", kernel " + e.Kernel
	}
	return fmt.Sprintf("%s, %s, %s", machine, e.Go, e.Backend)
}

// Limit is the limit on locked memory in words.
func (e Environment) Limit() string {
	text := fmt.Sprintf("RLIMIT_MEMLOCK %s (hard %s)", e.LockSoft, e.LockHard)
	if e.Exempt {
		text += ", from which the process was exempt"
	}
	if e.Mappings != "" {
		text += "; at most " + e.Mappings + " mappings"
	}
	return text
}

// Tags returns the build tags of this program.
func Tags() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			return s.Value
		}
	}
	return ""
}

// AddVersions names each contender's version: the module's that was compiled in,
// the commit for memkeep itself.
func AddVersions(r *Results) {
	for i := range r.Contenders {
		c := &r.Contenders[i]
		switch version := r.Environment.Modules[c.Module]; {
		case c.Module == "":
		case version == "" || version == "(devel)" || c.Module == "github.com/memkeep/memkeep":
			c.Version = r.Environment.Commit
		default:
			c.Version = version
		}
	}
}
