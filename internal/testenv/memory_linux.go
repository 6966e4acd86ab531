package testenv

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// PieceSize is the length of what a scan looks for: half of a key.
const PieceSize = 16

// Memory is the writable memory of another process as the system lets a reader
// have it.
type Memory struct {
	bytes []byte
	pages []memoryPage
}

// A memoryPage says where a page of a Memory comes from.
type memoryPage struct {
	offset  int // in the Memory's bytes
	address uint64
	mapping Mapping
}

// ReadMemory returns the writable memory of a child process, which it stops
// meanwhile. It leaves out the mappings for which any of the functions returns
// true, and all pages that are zero. It skips the test where this process may not
// read the child's memory.
func ReadMemory(t testing.TB, pid int, leaveOut ...func(Mapping) bool) *Memory {
	t.Helper()
	m, err := readMemory(pid, leaveOut)
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("SKIPPED, NOTHING TESTED: reading another process's memory: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// IsLocked reports whether a mapping is locked. It is for ReadMemory, of a process
// that has a secret open.
func IsLocked(m Mapping) bool { return m.Flags["lo"] || m.secret() }

// secret reports whether the mapping is of a file of memfd_secret(2). Its pages
// never leave memory, whether or not the kernel flags them as locked: some
// releases of 6.1 don't.
func (m Mapping) secret() bool { return strings.HasPrefix(m.Path, "/secretmem") }

// EmulatorsMemory is for ReadMemory of a child that Reexec made, to leave out what is
// the emulator's own. It is called before the child starts.
//
// An emulator of a process keeps registers, and what it saves of them while it
// translates, in memory of its own: on its threads' stacks, 16 bytes of a key here
// and there, which a processor has in no memory at all. So it is told to lay out the
// emulated process's memory in one range of addresses, in which it has nothing of its
// own. Everything else is left out.
func EmulatorsMemory(child *exec.Cmd) func(Mapping) bool {
	words := len(Emulator())
	if words == 0 {
		return func(Mapping) bool { return false }
	}
	const begin = uint64(1) << 44
	flags, size := []string{"-B", fmt.Sprintf("%#x", begin)}, uint64(1)<<32 // qemu's
	if math.MaxUint > math.MaxUint32 {
		size = 1 << 40 // Go's heap begins below
		flags = append(flags, "-R", fmt.Sprintf("%#x", size))
	} // else it is all that the processor can address
	child.Args = slices.Insert(child.Args, words, flags...)
	return func(m Mapping) bool { return m.Start < begin || m.Start >= begin+size }
}

func readMemory(pid int, leaveOut []func(Mapping) bool) (m *Memory, err error) {
	if err := stop(pid); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, syscall.Kill(pid, syscall.SIGCONT)) }()
	smaps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return nil, err
	}
	maps, err := parseMappings(smaps)
	if err != nil {
		return nil, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	pagemap, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", pid))
	if err != nil {
		return nil, err
	}
	defer pagemap.Close()
	m = new(Memory)
	for _, of := range maps {
		left := func(out func(Mapping) bool) bool { return out(of) }
		if of.Perms[:2] != "rw" || slices.ContainsFunc(leaveOut, left) {
			continue
		}
		if err := m.add(of, mem, pagemap); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// stop stops a child and returns once all of its threads are stopped.
func stop(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return os.NewSyscallError("kill", err)
	}
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED, nil)
		if err != unix.EINTR {
			return os.NewSyscallError("waitid", err)
		}
	}
}

// add adds the pages of a mapping that are there, in memory or swapped out. Most
// of the heap that Go reserves is not, and reading it would map pages of zeros.
func (m *Memory) add(of Mapping, mem, pagemap *os.File) error {
	const entrySize, presentOrSwapped = 8, 3 << 62 // Documentation/admin-guide/mm/pagemap.rst
	page := of.PageSize
	entries := make([]byte, (of.End-of.Start)/page*entrySize)
	if _, err := pagemap.ReadAt(entries, int64(of.Start/page*entrySize)); err != nil && err != io.EOF {
		return err
	}
	order := binary.ByteOrder(binary.NativeEndian)
	if len(Emulator()) > 0 {
		order = binary.LittleEndian // of the kernel below, whatever is emulated
	}
	content, zeros := make([]byte, page), make([]byte, page)
	at := of.Start
	for entry := range slices.Chunk(entries, entrySize) {
		if order.Uint64(entry)&presentOrSwapped != 0 {
			_, err := mem.ReadAt(content, int64(at))
			switch {
			case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EFAULT):
				// A page of memfd_secret(2).
			case err != nil:
				return err
			case !bytes.Equal(content, zeros):
				m.pages = append(m.pages, memoryPage{len(m.bytes), at, of})
				m.bytes = append(m.bytes, content...)
			}
		}
		at += page
	}
	return nil
}

// Whole returns in how many places the whole secret is.
func (m *Memory) Whole(secret []byte) int { return bytes.Count(m.bytes, secret) }

// Pieces returns in how many places a secret is, in part at least: how often the
// 16 bytes of it are there that are there most often. What is shorter than 16
// bytes is looked for whole.
func (m *Memory) Pieces(secret []byte) int {
	if len(secret) < PieceSize {
		return m.Whole(secret)
	}
	most := 0
	for at := 0; at < len(secret); at += PieceSize {
		// The last piece ends with the secret.
		most = max(most, m.Whole(secret[min(at, len(secret)-PieceSize):][:PieceSize]))
	}
	return most
}

// Places says for each place of a secret, or of a piece of 16 bytes of it, at which
// address it is, in which mapping, and what is around it.
func (m *Memory) Places(secret []byte) []string {
	const around = 64
	var places []string
	for piece := range slices.Chunk(secret, PieceSize) {
		for from := 0; ; from++ {
			at := bytes.Index(m.bytes[from:], piece)
			if at < 0 {
				break
			}
			from += at
			i, _ := slices.BinarySearchFunc(m.pages, from+1, func(p memoryPage, at int) int { return cmp.Compare(p.offset, at) })
			p := m.pages[i-1]
			places = append(places, fmt.Sprintf("%#x, in %#x-%#x %s: %x", p.address+uint64(from-p.offset), p.mapping.Start, p.mapping.End, p.mapping.Path,
				m.bytes[max(p.offset, from-around):min(len(m.bytes), from+around)]))
		}
	}
	return places
}

// Aligned yields the pieces of that size that begin at a multiple of 8, but those that
// begin or end with zeros, as what is no random number mostly does.
func (m *Memory) Aligned(size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for at := 0; at+size <= len(m.bytes); at += 8 {
			piece := m.bytes[at : at+size]
			if zeros := [2]byte{}; bytes.HasPrefix(piece, zeros[:]) || bytes.HasSuffix(piece, zeros[:]) {
				continue
			}
			if !yield(piece) {
				return
			}
		}
	}
}

// MustFind fails the test unless the control is there, which the process has kept
// in ordinary memory: a scan that doesn't find it proves nothing.
func (m *Memory) MustFind(t testing.TB, control []byte) {
	t.Helper()
	if m.Whole(control) == 0 {
		t.Fatal("the scan does not find the control: it proves nothing")
	}
}
