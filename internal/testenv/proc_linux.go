package testenv

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// Mappings returns the process's mappings.
func Mappings(t testing.TB) []Mapping {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := parseMappings(raw)
	if err != nil {
		t.Fatal(err)
	}
	return maps
}

// MappingOf returns the mapping that b lies in, and whether there is one.
func MappingOf(t testing.TB, b []byte) (Mapping, bool) {
	t.Helper()
	return within(Mappings(t), uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))))
}

// LockedBytes returns how many bytes the kernel keeps locked for this process:
// VmLck of proc_pid_status(5), or the mappings with the locked flag, of which kernels
// differ in what they count, whichever is more. Of pages of memfd_secret(2) that it
// neither counts nor flags, it is their size, however often they are mapped.
func LockedBytes(t testing.TB) int {
	t.Helper()
	flagged, uncounted := 0, map[string]int{}
	for _, m := range Mappings(t) {
		switch {
		case m.Flags["lo"]:
			flagged += int(m.End - m.Start)
		case m.secret():
			uncounted[m.Inode] = int(m.End - m.Start)
		}
	}
	n := max(flagged, CountedBytes(t))
	for _, size := range uncounted {
		n += size
	}
	return n
}

// Locked reports whether the kernel has all of b locked.
func Locked(t testing.TB, b []byte) bool {
	t.Helper()
	m, ok := MappingOf(t, b)
	return ok && IsLocked(m) && m.End >= uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))+uint64(len(b))
}

// CountedBytes returns what the kernel counts towards the process's limit on locked
// memory: VmLck of proc_pid_status(5).
func CountedBytes(t testing.TB) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmLck:"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmLck in /proc/self/status")
	return 0
}

// SecretFiles returns the anonymous files that this process has descriptors of.
func SecretFiles(t testing.TB) []string {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, fd := range fds {
		// A descriptor may have been closed since the listing.
		path, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && (strings.Contains(path, "memfd:") || strings.Contains(path, "secretmem")) {
			found = append(found, fd.Name()+" -> "+path)
		}
	}
	return found
}
