package testenv

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// A Mapping is one entry of /proc/self/smaps.
type Mapping struct {
	Start, End uintptr
	Perms      string
	Path       string
	Flags      map[string]bool // VmFlags of proc_pid_smaps(5)
}

// Mappings returns the process's mappings.
func Mappings(t testing.TB) []Mapping {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	var maps []Mapping
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if strings.Contains(fields[0], "-") {
			var m Mapping
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &m.Start, &m.End); err != nil {
				t.Fatalf("%q: %v", lines.Text(), err)
			}
			m.Perms = fields[1]
			m.Path = strings.Join(fields[5:], " ")
			maps = append(maps, m)
		} else if fields[0] == "VmFlags:" {
			m := &maps[len(maps)-1]
			m.Flags = make(map[string]bool)
			for _, f := range fields[1:] {
				m.Flags[f] = true
			}
		}
	}
	return maps
}

// MappingOf returns the mapping that b lies in, and whether there is one.
func MappingOf(t testing.TB, b []byte) (Mapping, bool) {
	t.Helper()
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	for _, m := range Mappings(t) {
		if m.Start <= at && at < m.End {
			return m, true
		}
	}
	return Mapping{}, false
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
