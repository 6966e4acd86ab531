package load_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// budget fits several times into the smallest limit that the tests run under.
func budget() int { return 8 * os.Getpagesize() }

// newLoader returns a loader with a session of its own, which is closed when the
// test ends, and then has no buffer open.
func newLoader(t testing.TB) load.Loader {
	t.Helper()
	return load.Loader{Session: newSession(t, budget())}
}

func newSession(t testing.TB, lockedBytes int) *enclave.Session {
	t.Helper()
	testenv.Lockable(t, lockedBytes)
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: lockedBytes, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := s.Stats().OpenBuffers; n != 0 {
			t.Errorf("%d buffers are left open", n)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// content is what tests load: no error may show any of it.
const content = "correct horse battery staple"

// holds fails the test unless e holds want.
func holds(t testing.TB, e *enclave.Enclave, err error, want []byte) {
	t.Helper()
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	err = e.Use(func(secret []byte) error {
		if !bytes.Equal(secret, want) {
			return fmt.Errorf("%d bytes that differ from the %d wanted", len(secret), len(want))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// refused fails the test unless err is want, names the source, and shows nothing
// of the content.
func refused(t testing.TB, e *enclave.Enclave, err, want error, source string) {
	t.Helper()
	var own *load.Error
	switch {
	case e != nil:
		t.Error("an enclave beside the error")
	case !errors.Is(err, want):
		t.Errorf("error %q, want %q", err, want)
	case !errors.As(err, &own) || !strings.Contains(own.Source, source) || !strings.Contains(err.Error(), source):
		t.Errorf("error %q does not name %q", err, source)
	}
	silent(t, err)
}

// silent fails the test if an error shows a word of the content.
func silent(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for word := range strings.FieldsSeq(content) {
		if strings.Contains(fmt.Sprintf("%v %+v %#v %q", err, err, err, err), word) {
			t.Errorf("error %q shows the content", err)
		}
	}
}

// needLinks skips the test where symbolic links can't be made, or don't work.
func needLinks(t testing.TB) {
	t.Helper()
	dir := testenv.TempDir(t)
	write(t, dir, "file", "x")
	err := os.Symlink("file", filepath.Join(dir, "link"))
	if err == nil {
		_, err = os.ReadFile(filepath.Join(dir, "link"))
	}
	if err != nil {
		t.Skipf("SKIPPED: symbolic links: %v", err)
	}
}

// need skips the test where there is no such program.
func need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
}

// write makes a file that its owner alone may read, and returns its path.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOneLineEndIsCutUnlessKept(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	for _, c := range []struct{ text, cut string }{
		{"abc", "abc"},
		{"abc\n", "abc"},
		{"abc\r\n", "abc"},
		{"abc\n\n", "abc\n"},
		{"abc\r", "abc\r"},
		{"\nabc", "\nabc"},
		{"a\n", "a"},
		{" abc \t\n", " abc \t"},
		{"\x00\xff\n", "\x00\xff"},
	} {
		e, err := l.Reader(t.Context(), strings.NewReader(c.text))
		holds(t, e, err, []byte(c.cut))
		l := l
		l.KeepLineEnd = true
		e, err = l.Reader(t.Context(), strings.NewReader(c.text))
		holds(t, e, err, []byte(c.text))
	}
	for _, text := range []string{"", "\n", "\r\n"} {
		e, err := l.Reader(t.Context(), strings.NewReader(text))
		refused(t, e, err, enclave.ErrEmpty, "reader")
	}
}

func TestEverySizeUpToTheBoundIsRead(t *testing.T) {
	t.Parallel()
	l := load.Loader{Session: newSession(t, 64*os.Getpagesize())}
	page := os.Getpagesize()
	dir := testenv.TempDir(t)
	for _, size := range []int{1, page - 17, page - 16, page - 15, page, page + 1, 3 * page, 6 * page} {
		secret := make([]byte, size)
		for i := range secret {
			secret[i] = byte(i*7) | 1
		}
		secret[size-1] = 'x' // not a line end
		path := write(t, dir, fmt.Sprint(size), string(secret))
		for _, bound := range []int{0, size, size - 1} {
			l := l
			l.MaxSize = bound
			file, fileErr := l.File(t.Context(), path)
			reader, readerErr := l.Reader(t.Context(), bytes.NewReader(secret))
			if bound == size-1 && size > 1 {
				refused(t, file, fileErr, load.ErrTooLarge, "file:"+path)
				refused(t, reader, readerErr, load.ErrTooLarge, "reader")
				continue
			}
			holds(t, file, fileErr, secret)
			holds(t, reader, readerErr, secret)
		}
	}
}

func TestTheLargestBoundIsNone(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	l.MaxSize = math.MaxInt
	e, err := l.File(t.Context(), write(t, testenv.TempDir(t), "secret", content))
	holds(t, e, err, []byte(content))
	e, err = l.Reader(t.Context(), strings.NewReader(content))
	holds(t, e, err, []byte(content))
}

// A reader that behaves as it likes.
type reader func(b []byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }

func TestAReaderThatMisbehavesIsAnError(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	broken := errors.New("broken")
	for name, r := range map[string]reader{
		"fails":        func(b []byte) (int, error) { return copy(b, content), broken },
		"reads more":   func(b []byte) (int, error) { return len(b) + 1, nil },
		"reads less":   func([]byte) (int, error) { return -1, nil },
		"says nothing": func([]byte) (int, error) { return 0, nil },
	} {
		t.Run(name, func(t *testing.T) {
			e, err := l.Reader(t.Context(), r)
			if e != nil || err == nil {
				t.Errorf("%v, %v", e, err)
			}
			if name == "fails" && !errors.Is(err, broken) {
				t.Errorf("%v hides the reader's error", err)
			}
			silent(t, err)
		})
	}
	t.Run("panics", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not pass")
			}
		}()
		_, _ = l.Reader(t.Context(), reader(func([]byte) (int, error) { panic("here") }))
	})
}

// telling tells of each read of a file before it begins.
type telling struct {
	*os.File
	reads chan struct{}
}

func (r telling) Read(b []byte) (int, error) {
	r.reads <- struct{}{}
	return r.File.Read(b)
}

func TestTheEndOfTheContextInterruptsARead(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	r, w, err := os.Pipe()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: a pipe has no deadlines there")
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := w.WriteString(content); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	blocks := make(chan struct{}, 2)
	go func() {
		_, err := l.Reader(ctx, telling{r, blocks})
		done <- err
	}()
	<-blocks // it reads what was written
	<-blocks // it waits for more
	cancel(why)
	err = <-done
	refused(t, nil, err, why, "reader")
}

func TestAReadIsNotBegunAfterTheEndOfTheContext(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	e, err := l.File(ctx, write(t, testenv.TempDir(t), "secret", content))
	refused(t, e, err, why, "file:")
}

func TestAFullBudgetIsWaitedForAndLosesNothing(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	path := write(t, testenv.TempDir(t), "secret", content)
	var held []interface{ Destroy() error }
	for {
		b, err := l.Session.NewBuffer(16)
		if err != nil {
			break
		}
		held = append(held, b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e, err := l.File(ctx, path)
	refused(t, e, err, context.Canceled, path)
	done := make(chan error, 1)
	go func() {
		e, err := l.File(t.Context(), path)
		holds(t, e, err, []byte(content))
		done <- err
	}()
	for _, b := range held {
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestManyLoadsAtOnceShareASmallBudget(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	dir := testenv.TempDir(t)
	path := write(t, dir, "plain", content)
	asJSON := write(t, dir, "json", `{"a":"`+content+`"}`)
	large := write(t, dir, "large", strings.Repeat("x", 2*os.Getpagesize()))
	var all sync.WaitGroup
	for i := range 48 {
		all.Go(func() {
			switch i % 3 {
			case 0:
				e, err := l.File(t.Context(), path)
				holds(t, e, err, []byte(content))
			case 1:
				e, err := l.Resolve(t.Context(), parse(t, "file:"+asJSON+"#a"))
				holds(t, e, err, []byte(content))
			case 2:
				// Its buffer grows, while others wait for theirs.
				f, err := os.Open(large)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				if e, err := l.Reader(t.Context(), f); err != nil || e.Size() != 2*os.Getpagesize() {
					t.Errorf("%v, %v", e, err)
				}
			}
		})
	}
	all.Wait()
}

func TestReaderTakesASecretAsLargeAsTheBudgetHolds(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	largest := l.Session.Stats().LargestSecret
	secret := bytes.Repeat([]byte{7}, largest)
	// One byte more tells that the reader has ended.
	e, err := l.Reader(t.Context(), bytes.NewReader(secret[1:]))
	holds(t, e, err, secret[1:])
	e, err = l.Reader(t.Context(), bytes.NewReader(secret))
	limit, ok := errors.AsType[*enclave.LimitError](err)
	if e != nil || !ok || limit.Size != largest+1 {
		t.Errorf("a secret of %d bytes: %v", largest, err)
	}
}
