//go:build unix && !aix && !solaris

package load_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

func TestAFileThatEveryUserMayReadIsRefusedUnlessAllowed(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	dir := testenv.TempDir(t)
	path := write(t, dir, "secret", content)
	for mode, open := range map[fs.FileMode]bool{
		0o400: false, 0o600: false, 0o640: false, 0o660: false, 0o601: false,
		0o644: true, 0o444: true, 0o604: true, 0o602: true,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		e, err := l.File(t.Context(), path)
		if !open {
			holds(t, e, err, []byte(content))
			continue
		}
		refused(t, e, err, load.ErrExposed, "file:"+path)
		for _, remedy := range []string{"chmod o=", "defaultMode", "AllowWorldReadable"} {
			if !strings.Contains(err.Error(), remedy) {
				t.Errorf("%v does not name the remedy %s", err, remedy)
			}
		}
		if secrets, err := l.Dir(t.Context(), dir); secrets != nil || !errors.Is(err, load.ErrExposed) {
			t.Errorf("Dir: %v, %v", secrets, err)
		}
		l := l
		l.AllowWorldReadable = true
		e, err = l.File(t.Context(), path)
		holds(t, e, err, []byte(content))
	}
}

func TestAFileThatMayNotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("SKIPPED: root may read everything")
	}
	l := newLoader(t)
	path := write(t, testenv.TempDir(t), "secret", content)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	e, err := l.File(t.Context(), path)
	refused(t, e, err, fs.ErrPermission, "file:"+path)
}

func TestADeviceAndASocketAreRefused(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	socket := filepath.Join(testenv.TempDir(t), "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, path := range []string{"/dev/zero", "/dev/null", socket} {
		e, err := l.File(t.Context(), path)
		refused(t, e, err, load.ErrNotFile, "file:"+path)
	}
}

func newFIFO(t *testing.T) string {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return path
}

func TestAFIFOIsReadUntilItsWriterClosesIt(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	path := newFIFO(t)
	written := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // waits for the reader
		if err != nil {
			written <- err
			return
		}
		for _, part := range []string{content[:5], content[5:], "\n"} {
			_, writeErr := f.WriteString(part)
			err = errors.Join(err, writeErr)
		}
		written <- errors.Join(err, f.Close())
	}()
	e, err := l.File(t.Context(), path)
	holds(t, e, err, []byte(content))
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestAFIFOThatNeverEndsIsBoundedByContextAndSize(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	path := newFIFO(t)
	e, err := l.File(ctx, path)
	refused(t, e, err, context.DeadlineExceeded, "file:"+path) // nobody writes

	f, err := os.OpenFile(path, os.O_RDWR, 0) // waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	e, err = l.File(ctx, path)
	refused(t, e, err, context.DeadlineExceeded, "file:"+path) // somebody wrote, and does not end

	l.MaxSize = 100
	go func() {
		for {
			if _, err := f.WriteString(content); err != nil {
				return
			}
		}
	}()
	e, err = l.File(t.Context(), path)
	refused(t, e, err, load.ErrTooLarge, "file:"+path) // somebody writes for ever
}

func TestFDTakesADescriptorOverAndClosesIt(t *testing.T) {
	// No parallel test may start a process, which has copies for a moment.
	l := newLoader(t)
	open := func(text string) (int, *os.File) {
		var p [2]int
		if err := syscall.Pipe(p[:]); err != nil {
			t.Fatal(err)
		}
		w := os.NewFile(uintptr(p[1]), "pipe")
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		return p[0], w
	}
	fd, w := open(content + "\n")
	w.Close()
	e, err := l.FD(t.Context(), fd)
	holds(t, e, err, []byte(content))

	fd, w = open("")
	w.Close()
	e, err = l.FD(t.Context(), fd)
	refused(t, e, err, enclave.ErrEmpty, "fd:")

	// The writer does not end; it notices when the descriptor is closed.
	fd, w = open(content)
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e, err = l.FD(ctx, fd)
	refused(t, e, err, context.DeadlineExceeded, "fd:")
	if _, err := w.WriteString("x"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing to a pipe whose reader was taken: %v", err)
	}

	// A context that has ended changes nothing in that.
	fd, w = open(content)
	defer w.Close()
	cancel()
	e, err = l.FD(ctx, fd)
	refused(t, e, err, ctx.Err(), "fd:")
	if _, err := w.WriteString("x"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing to a pipe that nobody was to read: %v", err)
	}

	f, err := os.Open(write(t, testenv.TempDir(t), "secret", content))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dup, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	e, err = l.FD(t.Context(), dup)
	holds(t, e, err, []byte(content))
}

func TestFDLeavesWhatIsNoSourceAlone(t *testing.T) {
	// No parallel test may get the descriptors' numbers.
	l := newLoader(t)
	numbers := []int{-1, 1 << 20}
	if strconv.IntSize == 64 {
		numbers = append(numbers, math.MaxInt-math.MaxUint32) // 0 in its low half
	}
	for _, n := range numbers {
		e, err := l.FD(t.Context(), n)
		refused(t, e, err, syscall.EBADF, "fd:")
	}
	for _, path := range []string{"/dev/null", testenv.TempDir(t)} {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		e, err := l.FD(t.Context(), fd)
		refused(t, e, err, load.ErrNotFile, "fd:")
		if err := syscall.Close(fd); err != nil {
			t.Errorf("closing the descriptor of %s again: %v", path, err)
		}
	}
}
