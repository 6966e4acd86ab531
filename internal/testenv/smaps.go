//go:build linux || windows

package testenv

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// A Mapping is one entry of Linux's /proc/PID/smaps.
type Mapping struct {
	Start, End uint64 // behind an emulator the end of 32 bits of address space is 1 << 32
	Perms      string
	Inode      string // of the file, "0" for none
	Path       string
	PageSize   uint64          // the kernel's, which an emulator's need not be
	Flags      map[string]bool // VmFlags of proc_pid_smaps(5)
}

func parseMappings(smaps []byte) ([]Mapping, error) {
	var maps []Mapping
	lines := bufio.NewScanner(bytes.NewReader(smaps))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if strings.Contains(fields[0], "-") {
			var m Mapping
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &m.Start, &m.End); err != nil {
				return nil, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			m.Perms, m.Inode = fields[1], fields[4]
			m.Path = strings.Join(fields[5:], " ")
			maps = append(maps, m)
		} else if fields[0] == "KernelPageSize:" {
			kib, err := strconv.ParseUint(fields[1], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			maps[len(maps)-1].PageSize = kib << 10
		} else if fields[0] == "VmFlags:" {
			m := &maps[len(maps)-1]
			m.Flags = make(map[string]bool)
			for _, f := range fields[1:] {
				m.Flags[f] = true
			}
		}
	}
	return maps, lines.Err()
}

// within returns the mapping that an address lies in, and whether there is one.
func within(maps []Mapping, at uint64) (Mapping, bool) {
	for _, m := range maps {
		if m.Start <= at && at < m.End {
			return m, true
		}
	}
	return Mapping{}, false
}
