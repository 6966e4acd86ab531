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

// LockedBytes returns how many bytes the kernel has locked for this process:
// VmLck of proc_pid_status(5), and the mappings with the locked flag, of which
// kernels differ in what they count; the larger one.
func LockedBytes(t testing.TB) int {
	t.Helper()
	flagged := 0
	for _, m := range Mappings(t) {
		if m.Flags["lo"] {
			flagged += int(m.End - m.Start)
		}
	}
	return max(flagged, vmLck(t))
}

// Locked reports whether the kernel has all of b locked.
func Locked(t testing.TB, b []byte) bool {
	t.Helper()
	m, ok := MappingOf(t, b)
	return ok && m.Flags["lo"] && m.End >= uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))+uint64(len(b))
}

func vmLck(t testing.TB) int {
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
