//go:build amd64 || arm64

package forensics

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// What the system calls the files behind locked pages.
const (
	secretmem = "/secretmem"
	memfd     = "/memfd:"
)

func secretFile(path string) bool {
	return strings.HasPrefix(path, secretmem) || strings.HasPrefix(path, memfd)
}

// readBy reads the child's memory in each of the ways that another process has.
var readBy = map[string]func(pid int, addr uint64, b []byte) (int, error){
	"process_vm_readv": processVMReadv,
	"/proc/PID/mem": func(pid int, addr uint64, b []byte) (int, error) {
		f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return f.ReadAt(b, int64(addr))
	},
}

func processVMReadv(pid int, addr uint64, b []byte) (int, error) {
	number := map[string]uintptr{"amd64": 310, "arm64": 270}[runtime.GOARCH]
	local := syscall.Iovec{Base: &b[0], Len: uint64(len(b))}
	remote := [2]uint64{addr, uint64(len(b))} // an iovec, whose address is not one of ours
	n, _, errno := syscall.Syscall6(number, uintptr(pid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func TestNoDescriptorNoChildAndNoOtherProcessGetsAtASecret(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		s := start(t, "load", backend)
		s.expect("loaded")
		s.work()
		open := s.rest()
		secretPages := s.secretPages()
		t.Run("read", func(t *testing.T) { s.readOpenBuffer(t, open, secretPages) })
		t.Run("descriptors", func(t *testing.T) {
			noSecretFiles(t, s.pid)
			if secretPages {
				s.openMapped(t)
			}
		})
		t.Run("fork", func(t *testing.T) { s.examineFork(t) })
		t.Run("exec", func(t *testing.T) { s.examineExec(t) })
	})
}

// secretPages reports whether the child's locked pages are of memfd_secret.
func (s *subject) secretPages() bool {
	for _, m := range s.mappings() {
		if strings.HasPrefix(m.path, secretmem) {
			return true
		}
	}
	return false
}

func (s *subject) mappings() []mapping {
	s.t.Helper()
	maps, err := readMappings(s.pid)
	if err != nil {
		s.t.Fatal(err)
	}
	return maps
}

// readOpenBuffer tries to read a buffer that is open in the child, and, as the
// control, a page that nothing protects.
func (s *subject) readOpenBuffer(t *testing.T, open uint64, secretPages bool) {
	want := s.board.secret(0)
	for name, read := range readBy {
		got := make([]byte, len(want))
		if n, err := read(s.pid, s.board.anchor, got); err != nil || n != len(got) {
			t.Errorf("%s of an ordinary page: %d bytes, %v", name, n, err)
		}
		clear(got)
		n, err := read(s.pid, open, got)
		switch {
		case secretPages && (err == nil || n > 0 || !bytes.Equal(got, make([]byte, len(got)))):
			t.Errorf("%s of an open buffer: %d bytes, %v", name, n, err)
		case !secretPages && !bytes.Equal(got, want):
			t.Errorf("%s of an open buffer without memfd_secret: %d bytes, %v: the address is wrong", name, n, err)
		}
		t.Logf("%s of an open buffer: %d bytes, %v", name, n, err)
	}
}

// noSecretFiles: no descriptor leads to locked pages.
func noSecretFiles(t *testing.T, pid int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		// One may have been closed since.
		path, err := os.Readlink(filepath.Join(dir, fd.Name()))
		if err == nil && secretFile(path) {
			t.Errorf("descriptor %s is %s", fd.Name(), path)
		}
	}
	if len(fds) == 0 {
		t.Error("the process has no descriptors at all")
	}
}

// openMapped tries to get a descriptor of the secret pages from the mappings.
func (s *subject) openMapped(t *testing.T) {
	for _, m := range s.mappings() {
		if !strings.HasPrefix(m.path, secretmem) {
			continue
		}
		f, err := os.OpenFile(fmt.Sprintf("/proc/%d/map_files/%x-%x", s.pid, m.start, m.end), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		defer f.Close()
		if n, err := f.Read(make([]byte, 4096)); n > 0 {
			t.Errorf("map_files of %x: read %d bytes, %v", m.start, n, err)
		}
		if mem, err := syscall.Mmap(int(f.Fd()), 0, int(m.end-m.start), syscall.PROT_READ, syscall.MAP_SHARED); err == nil {
			t.Errorf("map_files of %x: mapped %d bytes", m.start, len(mem))
		}
	}
}

// noSecretIn searches a process that is not to have any.
func (s *subject) noSecretIn(t *testing.T, pid int, withControl bool) {
	t.Helper()
	maps, err := readMappings(pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range maps {
		if m.locked || secretFile(m.path) {
			t.Errorf("it has a locked mapping: %x-%x %s %s", m.start, m.end, m.perms, m.path)
		}
	}
	x, err := newExaminer(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	m, err := x.read()
	if err != nil {
		t.Fatal(err)
	}
	set, controls := s.all(), 0
	for _, c := range m.chunks {
		for _, h := range set.find(c.bytes) {
			if h.kind == ofControl {
				controls++
			} else {
				t.Errorf("%s at %x, %s %s", quantityNames[h.kind], c.start+uint64(h.at), c.of.perms, c.of.path)
			}
		}
	}
	if withControl && controls == 0 {
		t.Error("the search does not find the control: it proves nothing")
	}
	noSecretFiles(t, pid)
}

func (s *subject) examineFork(t *testing.T) {
	s.tell("fork")
	pid, err := strconv.Atoi(s.expect("forked"))
	if err != nil {
		t.Fatal(err)
	}
	s.noSecretIn(t, pid, true)
	s.tell("reap")
	s.expect("reaped")
}

func (s *subject) examineExec(t *testing.T) {
	s.tell("exec")
	pid, err := strconv.Atoi(s.expect("started"))
	if err != nil {
		t.Fatal(err)
	}
	s.noSecretIn(t, pid, false)
	s.tell("reap")
	s.expect("reaped")
}
