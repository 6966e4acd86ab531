package procmem

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// Read returns the process's usage now, from proc_pid_status(5) and
// proc_pid_smaps(5).
func Read() Usage {
	return Usage{
		Resident: statusField("VmRSS:"),
		Locked:   statusField("VmLck:"),
		Secret:   secretBytes(),
		Swapped:  statusField("VmSwap:"),
	}
}

// statusField returns a field of /proc/self/status that is in kB.
func statusField(name string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Unknown
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return kilobytes(rest)
		}
	}
	return Unknown
}

func kilobytes(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(s), " kB"), 10, 64)
	if err != nil {
		return Unknown
	}
	return n << 10
}

// secretBytes sums up the mappings that are files of memfd_secret.
func secretBytes() int64 {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return Unknown
	}
	defer smaps.Close()
	var sum int64
	secret := false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		// A mapping's first line has its name last, and a dash in the range of
		// addresses that it begins with.
		line := lines.Text()
		if first, _, _ := strings.Cut(line, " "); strings.Contains(first, "-") {
			secret = strings.Contains(line, "/secretmem")
		} else if rest, ok := strings.CutPrefix(line, "Size:"); ok && secret {
			sum += kilobytes(rest)
		}
	}
	if lines.Err() != nil {
		return Unknown
	}
	return sum
}
