//go:build amd64 || arm64

package forensics

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A mapping is one entry of proc_pid_smaps(5).
type mapping struct {
	start, end uint64
	perms      string
	inode      string // device and inode
	path       string
	resident   bool // has pages, in memory or swapped out
	flags      string
	locked     bool // itself, or the same file is locked through another mapping
}

func readMappings(pid int) ([]mapping, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var maps []mapping
	lockedFiles := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if from, to, ok := strings.Cut(fields[0], "-"); ok {
			m := mapping{perms: fields[1], inode: fields[3] + " " + fields[4], path: strings.Join(fields[5:], " ")}
			var err1, err2 error
			m.start, err1 = strconv.ParseUint(from, 16, 64)
			m.end, err2 = strconv.ParseUint(to, 16, 64)
			if err := errors.Join(err1, err2); err != nil {
				return nil, err
			}
			maps = append(maps, m)
			continue
		}
		m := &maps[len(maps)-1]
		switch fields[0] {
		case "Rss:", "Swap:":
			m.resident = m.resident || fields[1] != "0"
		case "VmFlags:":
			m.flags = strings.Join(fields[1:], " ") + " "
			// Later releases of Linux 6.1 don't flag pages of memfd_secret, which
			// are locked.
			m.locked = strings.Contains(m.flags, "lo ") || strings.HasPrefix(m.path, secretmem)
			if m.locked && !strings.HasSuffix(m.inode, " 0") {
				lockedFiles[m.inode] = true
			}
		}
	}
	for i := range maps {
		maps[i].locked = maps[i].locked || lockedFiles[maps[i].inode]
	}
	return maps, lines.Err()
}

// A chunk is memory that could be read, in one piece.
type chunk struct {
	start uint64
	bytes []byte
	of    mapping
}

// A process's memory as it could be read from outside.
type memory struct {
	chunks     []chunk
	lockedRead int // bytes of locked pages that could be read
	secret     int // bytes of locked pages that could not
	total      int
}

// An examiner reads the memory of one process, again and again.
type examiner struct {
	pid      int
	mem      *os.File
	pages    *os.File
	only     func(mapping) bool // nil for all
	buffer   []byte
	pageSize uint64
}

func newExaminer(pid int) (*examiner, error) {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	pages, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", pid))
	if err != nil {
		mem.Close()
		return nil, err
	}
	return &examiner{pid: pid, mem: mem, pages: pages, pageSize: uint64(os.Getpagesize())}, nil
}

func (x *examiner) close() {
	x.mem.Close()
	x.pages.Close()
}

// read returns all memory that is there. It is valid until the next read.
func (x *examiner) read() (memory, error) {
	var m memory
	maps, err := readMappings(x.pid)
	if err != nil {
		return m, err
	}
	used := 0
	for _, of := range maps {
		if x.only != nil && !x.only(of) {
			continue
		}
		// Secret pages are not counted as resident: they are tried.
		if !of.resident && !of.locked || strings.HasPrefix(of.path, "[vvar") || of.path == "[vsyscall]" {
			continue
		}
		runs, err := x.presentRuns(of)
		if err != nil {
			return m, err
		}
		for _, run := range runs {
			n := int(run[1] - run[0])
			if used+n > len(x.buffer) {
				x.buffer, used = make([]byte, max(64<<20, n)), 0
			}
			part := x.buffer[used : used+n]
			got, err := x.mem.ReadAt(part, int64(run[0]))
			if err != nil && got == 0 && !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.EFAULT) && err != io.EOF {
				return m, err
			}
			if of.locked {
				m.lockedRead += got
				m.secret += n - got
			} else if got < n {
				return m, fmt.Errorf("%d of %d bytes at %x of %s %s: %w", got, n, run[0], of.perms, of.path, err)
			}
			used += got
			m.total += got
			m.chunks = append(m.chunks, chunk{run[0], part[:got], of})
		}
	}
	return m, nil
}

// presentRuns returns the parts of a mapping that have pages: of a reservation
// of the heap most has none, and reading them would make them.
func (x *examiner) presentRuns(of mapping) ([][2]uint64, error) {
	if of.locked {
		return [][2]uint64{{of.start, of.end}}, nil
	}
	entries := make([]byte, (of.end-of.start)/x.pageSize*8)
	if _, err := x.pages.ReadAt(entries, int64(of.start/x.pageSize*8)); err != nil && err != io.EOF {
		return nil, err
	}
	var runs [][2]uint64
	for i := 0; i < len(entries); i += 8 {
		const presentOrSwapped = 3 << 62
		if binary.NativeEndian.Uint64(entries[i:])&presentOrSwapped == 0 {
			continue
		}
		at := of.start + uint64(i/8)*x.pageSize
		if n := len(runs); n > 0 && runs[n-1][1] == at {
			runs[n-1][1] += x.pageSize
		} else {
			runs = append(runs, [2]uint64{at, at + x.pageSize})
		}
	}
	return runs, nil
}
