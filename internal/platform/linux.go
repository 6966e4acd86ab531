package platform

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// FromLinux reads what Linux tells in its files: /proc, /sys and a few others
// under root, which is the system's root folder.
func FromLinux(root fs.FS) Facts { return fromLinux(linux{root, "self"}) }

func fromLinux(l linux) Facts {
	return Facts{
		Swap:        l.swap(),
		Core:        l.core(),
		Hibernation: l.hibernation(),
		Tracing:     l.tracing(),
		Container:   l.container(),
	}
}

// A linux is a system, seen by one of its processes.
type linux struct {
	root    fs.FS
	process string // its folder in /proc
}

// proc returns the path of the process's file of that name.
func (l linux) proc(name string) string { return path.Join("proc", l.process, name) }

// text returns a file's content without the space around it, and whether it
// could be read.
func (l linux) text(name string) (string, bool) {
	raw, err := fs.ReadFile(l.root, name)
	return strings.TrimSpace(string(raw)), err == nil
}

func (l linux) exists(name string) bool {
	_, err := fs.Stat(l.root, name)
	return err == nil
}

// swap reads proc_swaps(5): a heading, and a line for each area, which starts
// with its path. The kernel writes a space in a path as \040.
func (l linux) swap() Swap {
	table, ok := l.text("proc/swaps")
	if !ok {
		return Swap{}
	}
	s := Swap{Present: No, Barred: l.barredFromSwap()}
	for i, line := range strings.Split(table, "\n") {
		fields := strings.Fields(line)
		if i == 0 || len(fields) < 2 {
			continue
		}
		s.Present = Yes
		s.Areas = append(s.Areas, l.area(fields[0], fields[1]))
	}
	return s
}

func (l linux) area(name, kind string) Area {
	name = unescape(name)
	a := Area{Name: name}
	if kind == "file" {
		a.Encrypted = l.encryptedFile(name)
		return a
	}
	device := l.device(name)
	if strings.HasPrefix(device, "zram") {
		// Kernels without CONFIG_ZRAM_WRITEBACK have no such file.
		behind, ok := l.text("sys/class/block/" + device + "/backing_dev")
		a.Memory = !ok || behind == "none"
		if !a.Memory {
			a.Name += " with " + behind + " behind it"
			a.Encrypted = l.encrypted(l.device(behind))
		}
		return a
	}
	a.Encrypted = l.encrypted(device)
	return a
}

// device returns the kernel's name of a device: the last part of its path, but
// for names that the device mapper gave.
func (l linux) device(name string) string {
	mapped, ok := strings.CutPrefix(name, "/dev/mapper/")
	if !ok {
		return path.Base(name)
	}
	devices, _ := fs.ReadDir(l.root, "sys/class/block")
	for _, d := range devices {
		if given, ok := l.text("sys/class/block/" + d.Name() + "/dm/name"); ok && given == mapped {
			return d.Name()
		}
	}
	return mapped
}

// encrypted looks for dm-crypt in or below a block device. A device that is
// made of others, a logical volume say, is encrypted if all of them are.
func (l linux) encrypted(device string) Answer {
	return l.encryptedBelow(device, 0)
}

func (l linux) encryptedBelow(device string, depth int) Answer {
	const deepest = 16 // against a loop, which the kernel does not make
	dir := "sys/class/block/" + device
	if !l.exists(dir) || depth > deepest {
		return Unknown
	}
	// The device mapper's identifier starts with the kind of its user;
	// cryptsetup writes CRYPT- there.
	if id, ok := l.text(dir + "/dm/uuid"); ok && strings.HasPrefix(id, "CRYPT-") {
		return Yes
	}
	below, _ := fs.ReadDir(l.root, dir+"/slaves")
	if len(below) == 0 {
		return No
	}
	for _, d := range below {
		if a := l.encryptedBelow(d.Name(), depth+1); a != Yes {
			return a
		}
	}
	return Yes
}

// encryptedFile finds the device that a file lies on, by the mount with the
// longest matching path: proc_pid_mountinfo(5), field 3 is the device's number
// and field 5 the mount point.
func (l linux) encryptedFile(name string) Answer {
	table, ok := l.text("proc/self/mountinfo")
	if !ok {
		return Unknown
	}
	longest, number := -1, ""
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		// Of mounts on the same point the last one is on top.
		if at := unescape(fields[4]); within(name, at) && len(at) >= longest {
			longest, number = len(at), fields[2]
		}
	}
	devices, _ := fs.ReadDir(l.root, "sys/class/block")
	for _, d := range devices {
		if its, ok := l.text("sys/class/block/" + d.Name() + "/dev"); ok && its == number {
			return l.encrypted(d.Name())
		}
	}
	return Unknown
}

func within(name, dir string) bool {
	return dir == "/" || name == dir || strings.HasPrefix(name, dir+"/")
}

// unescape undoes what the kernel writes for white space in a path.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// barredFromSwap reads the limits of the process's cgroup and those above it:
// version 2 has memory.swap.max, in bytes.
func (l linux) barredFromSwap() bool {
	table, _ := l.text(l.proc("cgroup"))
	for line := range strings.Lines(table) {
		dir, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !ok {
			continue
		}
		for {
			// Version 2 alone, or beside version 1.
			for _, mount := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
				if most, ok := l.text(path.Join(mount, dir, "memory.swap.max")); ok && most == "0" {
					return true
				}
			}
			if dir == "" || dir == "." {
				break
			}
			dir = path.Dir(dir)
		}
	}
	return false
}

// core reads core(5): a pattern that starts with a pipe names a program, and
// then "the RLIMIT_CORE limit is not enforced".
func (l linux) core() Core {
	pattern, ok := l.text("proc/sys/kernel/core_pattern")
	if !ok {
		return Core{}
	}
	// An empty pattern writes none, unless a process id is to be appended.
	id, _ := l.text("proc/sys/kernel/core_uses_pid")
	return Core{
		Pattern: pattern,
		Piped:   strings.HasPrefix(pattern, "|") || strings.HasPrefix(pattern, "@"),
		Off:     answer(pattern == "" && id == "0"),
	}
}

// hibernation reads what the kernel offers: /sys/power/state lists "disk" and
// /sys/power/disk the ways to do it; a locked-down kernel offers none.
func (l linux) hibernation() Hibernation {
	if lockdown, ok := l.text("sys/kernel/security/lockdown"); ok && !strings.Contains(lockdown, "[none]") {
		return Hibernation{No, "the kernel is locked down: " + lockdown}
	}
	states, ok := l.text("sys/power/state")
	if !ok {
		if l.exists("sys/power") || l.exists("sys/kernel") {
			return Hibernation{No, "the kernel offers no sleep states"}
		}
		return Hibernation{Unknown, "/sys/power can't be read"}
	}
	if !slices.Contains(strings.Fields(states), "disk") {
		return Hibernation{No, "the kernel does not offer it"}
	}
	if ways, ok := l.text("sys/power/disk"); ok && strings.Contains(ways, "[disabled]") {
		return Hibernation{No, "/sys/power/disk says [disabled]"}
	}
	return Hibernation{Yes, "/sys/power/state offers disk"}
}

// tracing reads the Yama module's mode: ptrace(2), 0 "classic ptrace
// permissions", 1 "restricted ptrace" to descendants, 2 "admin-only attach", 3
// "no attach".
func (l linux) tracing() Tracing {
	scope, ok := l.text("proc/sys/kernel/yama/ptrace_scope")
	switch {
	case ok:
		return Tracing{SameUser: answer(scope == "0"), Why: "kernel.yama.ptrace_scope is " + scope}
	case l.exists("proc/sys/kernel"):
		return Tracing{SameUser: Yes, Why: "the kernel runs without the Yama module"}
	default:
		return Tracing{Why: "/proc/sys/kernel can't be read"}
	}
}

// container looks for what container engines leave: a file in the root folder,
// the service account of a pod, a name in the cgroup's path.
func (l linux) container() string {
	inside := "."
	if l.process != "self" {
		inside = l.proc("root") // which only those who may trace it can look into
	}
	for _, engine := range []struct{ mark, name string }{
		{"run/secrets/kubernetes.io", "kubernetes"}, {"var/run/secrets/kubernetes.io", "kubernetes"},
		{".dockerenv", "docker"}, {"run/.containerenv", "podman"},
	} {
		if l.exists(path.Join(inside, engine.mark)) {
			return engine.name
		}
	}
	groups, _ := l.text(l.proc("cgroup"))
	for _, engine := range []struct{ mark, name string }{
		{"kubepods", "kubernetes"}, {"docker", "docker"}, {"libpod", "podman"}, {"containerd", "containerd"}, {"lxc", "lxc"},
	} {
		if strings.Contains(groups, engine.mark) {
			return engine.name
		}
	}
	return ""
}
