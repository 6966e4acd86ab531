package enclave_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// streamBudget is what a chunk takes besides the smallest session, where both of
// its mappings count.
func streamBudget() int { return smallest() + 64<<10 + 8*os.Getpagesize() }

// noise returns n bytes, none of them zero.
func noise(n int) []byte {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.UintN(255)) + 1
	}
	return b
}

func TestStreamGivesBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: streamBudget()}).NewStream()
	data := noise(3*enclave.StreamChunkSize + 100)
	want := bytes.Clone(data)
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 1+rand.IntN(2*enclave.StreamChunkSize))
		if got, err := s.Write(rest[:n]); got != n || err != nil {
			t.Fatal(got, err)
		}
		rest = rest[n:]
	}
	if !bytes.Equal(data, want) {
		t.Error("Write changed its input")
	}
	if s.Size() != len(want) {
		t.Errorf("%d bytes", s.Size())
	}
	var got []byte
	for buf := make([]byte, 2*enclave.StreamChunkSize); ; {
		n, err := s.Read(buf[:rand.IntN(len(buf))])
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.Size() != len(want)-len(got) {
			t.Fatalf("%d bytes are left", s.Size())
		}
	}
	if !bytes.Equal(got, want) || s.Size() != 0 {
		t.Error("other data came back")
	}
	if n, err := s.Read(nil); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestStreamConformsToReader(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: streamBudget()}).NewStream()
	data := noise(enclave.StreamChunkSize + 999)
	if _, err := s.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(s, data); err != nil {
		t.Error(err)
	}
}

// One chunk is locked at a time, whatever the stream holds, and none between calls.
func TestStreamLocksOneChunkAtATime(t *testing.T) {
	t.Parallel()
	session := newSession(t, enclave.Config{MaxLockedBytes: streamBudget()})
	s := session.NewStream()
	const size = 8 << 20
	data := noise(size)
	if n, err := io.Copy(s, bytes.NewReader(data)); n != size || err != nil {
		t.Fatal(n, err)
	}
	if b := session.Stats().OpenBuffers; b != 0 || s.Size() != size {
		t.Errorf("%d buffers are open, %d bytes in the stream", b, s.Size())
	}
	var got bytes.Buffer
	if n, err := io.Copy(&got, s); n != size || err != nil {
		t.Fatal(n, err)
	}
	if !bytes.Equal(got.Bytes(), data) || s.Size() != 0 {
		t.Error("other data came back")
	}
}

func TestStreamKeepsWhatAWriterDidNotTake(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: streamBudget()}).NewStream()
	data := noise(enclave.StreamChunkSize + 10)
	if _, err := s.Write(data); err != nil {
		t.Fatal(err)
	}
	own := errors.New("the writer's own")
	for _, w := range []struct {
		n   int
		err error
	}{{7, own}, {0, own}, {5, nil}} {
		n, err := s.WriteTo(writeFunc(func([]byte) (int, error) { return w.n, w.err }))
		if n != int64(w.n) || w.err != nil && err != own || w.err == nil && err != io.ErrShortWrite {
			t.Error(n, err)
		}
	}
	if _, err := s.WriteTo(writeFunc(func(b []byte) (int, error) { return len(b) + 1, nil })); err == nil {
		t.Error("a writer took more than there was")
	}
	rest, err := io.ReadAll(s)
	if err != nil || !bytes.Equal(rest, data[12:]) {
		t.Error("the rest", err)
	}
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(b []byte) (int, error) { return f(b) }

func TestStreamAfterPurgeAndReset(t *testing.T) {
	t.Parallel()
	session := newSession(t, enclave.Config{MaxLockedBytes: streamBudget()})
	s := session.NewStream()
	if _, err := s.Write(noise(10)); err != nil {
		t.Fatal(err)
	}
	if err := session.Purge(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{5, 20} {
		buf := noise(size)
		if n, err := s.Read(buf); n != 0 || !errors.Is(err, enclave.ErrPurged) {
			t.Error(n, err)
		}
	}
	s.Reset()
	if _, err := s.Write([]byte("new")); err != nil || s.Size() != 3 {
		t.Error(err)
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReadFromKeepsWhatCameBeforeAnError(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: streamBudget()}).NewStream()
	own := errors.New("the reader's own")
	data := noise(enclave.StreamChunkSize + 10)
	n, err := s.ReadFrom(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(own)))
	if n != int64(len(data)) || err != own || s.Size() != len(data) {
		t.Error(n, err)
	}
}

func TestStreamServesReadersAndWritersAtOnce(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: streamBudget()}).NewStream()
	const writers, pieces = 4, 200
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range pieces {
				if _, err := s.Write([]byte("abcdefgh")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	total := 0
	for buf := make([]byte, 24); total < writers*pieces*8; {
		n, err := s.Read(buf)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		// Each write is one step.
		if want := strings.Repeat("abcdefgh", 3)[:n]; string(buf[:n]) != want {
			t.Fatalf("%q", buf[:n])
		}
		total += n
		if n == 0 {
			runtime.Gosched() // to the writers, where there is one processor
		}
	}
	all.Wait()
}

func TestStreamPrintsItsSizeAlone(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{}).NewStream()
	if _, err := s.Write([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Count(text, "[REDACTED 6 bytes]") != 4 {
		t.Error(text)
	}
}

func TestOpenIntoDecryptsInPlaceOrNotAtAll(t *testing.T) {
	t.Parallel()
	session := newSession(t, enclave.Config{})
	secret := []byte("a secret")
	e, err := session.NewCopy(secret)
	if err != nil || string(secret) != "a secret" {
		t.Fatal("NewCopy wiped its source", err)
	}
	dst := make([]byte, 10)
	if n, err := e.OpenInto(dst); n != 8 || err != nil || string(dst) != "a secret\x00\x00" {
		t.Errorf("%d, %v, %q", n, err, dst)
	}
	if n, err := e.OpenInto(dst[:7]); n != 0 || !errors.Is(err, io.ErrShortBuffer) {
		t.Error(n, err)
	}
	if _, err := session.NewCopy(nil); err != enclave.ErrEmpty {
		t.Error(err)
	}
	if err := session.Purge(); err != nil {
		t.Fatal(err)
	}
	copy(dst, "xxxxxxxxxx")
	if n, err := e.OpenInto(dst); n != 0 || !errors.Is(err, enclave.ErrPurged) || bytes.Contains(dst, []byte("secret")) {
		t.Error(n, err)
	}
	e.Destroy()
	if _, err := e.OpenInto(dst); !errors.Is(err, locked.ErrDestroyed) {
		t.Error(err)
	}
}

func TestSessionReadsIntoLockedMemory(t *testing.T) {
	t.Parallel()
	session := newSession(t, enclave.Config{})
	for _, read := range []func(io.Reader) (*locked.Buffer, error){
		func(r io.Reader) (*locked.Buffer, error) { return session.ReadFull(r, 6) },
		func(r io.Reader) (*locked.Buffer, error) { return session.ReadUntil(r, '\n') },
		session.ReadAll,
	} {
		b, err := read(io.LimitReader(strings.NewReader("secret\n"), 6+1))
		if b == nil || err != nil || !bytes.HasPrefix(b.Bytes(), []byte("secret")) {
			t.Fatal(err)
		}
		testenv.MustFault(t, "writing", func() { b.Bytes()[0] = 1 })
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	}
}
