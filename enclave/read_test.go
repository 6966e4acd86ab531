package enclave_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// readers are the three ways to read a secret of unknown or known size.
func readers(s *enclave.Session, size int) map[string]func(io.Reader) (*locked.Buffer, error) {
	return map[string]func(io.Reader) (*locked.Buffer, error){
		"ReadFull":  func(r io.Reader) (*locked.Buffer, error) { return s.ReadFull(r, size) },
		"ReadUntil": func(r io.Reader) (*locked.Buffer, error) { return s.ReadUntil(r, 0) },
		"ReadAll":   s.ReadAll,
	}
}

func TestReadersOfASessionGiveAllOrAnErrorAndNoBuffer(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, s *enclave.Session) {
		page := os.Getpagesize()
		own := errors.New("the reader's own")
		for _, size := range []int{1, page - locked.CanarySize, page - locked.CanarySize + 1, page + page/2} {
			data := noise(size)
			for name, read := range readers(s, size) {
				end := "\x00"
				if name != "ReadUntil" {
					end = ""
				}
				b, err := read(io.MultiReader(bytes.NewReader(data), strings.NewReader(end)))
				if err != nil {
					t.Fatalf("%s of %d bytes: %v", name, size, err)
				}
				if b.Mutable() || !b.Equal(data) {
					t.Errorf("%s of %d bytes: another secret", name, size)
				}
				if err := b.Destroy(); err != nil {
					t.Error(err)
				}
				for _, failure := range []error{own, io.ErrUnexpectedEOF} {
					short := io.MultiReader(bytes.NewReader(data[:size/2]), iotest.ErrReader(failure))
					if b, err := read(short); b != nil || err != failure {
						t.Errorf("%s of %d bytes that fails with %v: %v, %v", name, size, failure, b, err)
					}
				}
			}
			for name, read := range readers(s, size+1) {
				want := io.ErrUnexpectedEOF
				if name == "ReadAll" {
					continue
				}
				if b, err := read(bytes.NewReader(data)); b != nil || err != want {
					t.Errorf("%s of %d bytes that end: %v, %v", name, size, b, err)
				}
			}
		}
		for name, read := range readers(s, 1) {
			want := io.EOF
			if name == "ReadAll" {
				want = enclave.ErrNothingRead
			}
			if b, err := read(strings.NewReader("")); b != nil || err != want {
				t.Errorf("%s of nothing: %v, %v", name, b, err)
			}
		}
		if n := s.Stats().OpenBuffers; n != 0 {
			t.Errorf("%d buffers are left", n)
		}
	})
}

// What was read rests sealed until all is there, so it needn't fit twice.
func TestReadAllReadsThreeQuartersOfTheBudget(t *testing.T) {
	t.Parallel()
	budget := 256 * os.Getpagesize()
	s := newSession(t, enclave.Config{MaxLockedBytes: budget})
	data := noise(budget * 3 / 4)
	b, err := s.ReadAll(iotest.HalfReader(bytes.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	if !b.Equal(data) {
		t.Error("another secret")
	}
	if err := b.Destroy(); err != nil {
		t.Error(err)
	}
}

// What can never fit is told apart from what others are in the way of, and as soon
// as it is known: an endless reader must not fill the heap.
func TestReadAllOfWhatCanNeverFitNamesTheSize(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, s *enclave.Session) {
		read := 0
		b, err := s.ReadAll(readFunc(func(b []byte) (int, error) { read += len(b); return len(b), nil }))
		var limit *enclave.LimitError
		if b != nil || !errors.As(err, &limit) || limit.Size != read || read > budget() {
			t.Errorf("%d bytes read: %v, %v", read, b, err)
		}
		if n := s.Stats().OpenBuffers; n != 0 {
			t.Errorf("%d buffers are left", n)
		}
	})
}

func TestReaderThatPanicsLeavesNoBuffer(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	for name, read := range readers(s, 100) {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the panic is gone", name)
				}
			}()
			_, _ = read(io.MultiReader(strings.NewReader("part"), readFunc(func([]byte) (int, error) { panic("on purpose") })))
		}()
	}
	if n := s.Stats().OpenBuffers; n != 0 {
		t.Errorf("%d buffers are left", n)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// Cut off is not ended: an HTTP body says so with the error that a short ReadFull
// has.
func TestStreamTellsWhatWasCutOffFromWhatEnded(t *testing.T) {
	t.Parallel()
	stream := newSession(t, enclave.Config{MaxLockedBytes: streamBudget()}).NewStream()
	for _, size := range []int{0, 40, enclave.StreamChunkSize, enclave.StreamChunkSize + 40} {
		cut := io.MultiReader(bytes.NewReader(noise(size)), iotest.ErrReader(io.ErrUnexpectedEOF))
		if n, err := stream.ReadFrom(cut); n != int64(size) || err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes, cut off: %d, %v", size, n, err)
		}
		if n, err := stream.ReadFrom(bytes.NewReader(noise(size))); n != int64(size) || err != nil {
			t.Errorf("%d bytes, whole: %d, %v", size, n, err)
		}
	}
}

// largestOf returns the size of the largest secret that the session takes.
func largestOf(t *testing.T, s *enclave.Session) int {
	t.Helper()
	size := s.Stats().LargestSecret
	if _, err := s.New(noise(size)); err != nil {
		t.Fatalf("%d bytes: %v", size, err)
	}
	if _, err := s.New(noise(size + 1)); err == nil {
		t.Fatalf("it takes more than %d bytes", size)
	}
	return size
}

// Whether it ends there only shows when the reader is asked for more.
func TestReadersTakeTheLargestSecretThatCanBeOpened(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: budget()})
	newEnclave(t, s, noise(1)) // from now on it has a budget
	largest := largestOf(t, s)
	data := append(noise(largest), 0)
	for name, read := range map[string]func() (*locked.Buffer, error){
		"ReadAll":   func() (*locked.Buffer, error) { return s.ReadAll(bytes.NewReader(data[:largest])) },
		"ReadUntil": func() (*locked.Buffer, error) { return s.ReadUntil(bytes.NewReader(data), 0) },
	} {
		b, err := read()
		if err != nil {
			t.Errorf("%s of %d bytes: %v", name, largest, err)
			continue
		}
		if !b.Equal(data[:largest]) {
			t.Errorf("%s of %d bytes: another secret", name, largest)
		}
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range []io.Reader{bytes.NewReader(data), iotest.DataErrReader(bytes.NewReader(data))} {
		b, err := s.ReadAll(r)
		if limit, ok := errors.AsType[*enclave.LimitError](err); !ok || limit.Size != largest+1 || b != nil {
			t.Errorf("ReadAll of one byte more than %d: %v, %v", largest, b, err)
		}
	}
}

// io.EOF alone says that the reader gave nothing.
func TestPiecesThatCannotBePutTogetherAreNoEndOfTheReader(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: testenv.SmallLimit()})
	newEnclave(t, s, noise(1))
	data := bytes.NewReader(noise(largestOf(t, s) - 1)) // more than the last piece's slot
	var inTheWay []*locked.Buffer
	b, err := s.ReadUntil(readFunc(func(b []byte) (int, error) {
		n, err := data.Read(b)
		for full := error(nil); data.Len() == 0 && full == nil; {
			var other *locked.Buffer
			if other, full = s.NewBuffer(1); full == nil {
				inTheWay = append(inTheWay, other)
			}
		}
		return n, err
	}), 0)
	if b != nil || !errors.Is(err, enclave.ErrExhausted) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, %v", b, err)
	}
	for _, other := range inTheWay {
		if err := other.Destroy(); err != nil {
			t.Error(err)
		}
	}
}
