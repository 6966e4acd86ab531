package locked_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// wantRead checks what a reading call returned, and destroys it. With an error
// there must be no buffer: it would leak where a caller returns the error.
func wantRead(t *testing.T, b *locked.Buffer, err error, want []byte, wantErr error) {
	t.Helper()
	if err != wantErr {
		t.Errorf("error %v, not %v", err, wantErr)
	}
	if err != nil {
		if b != nil {
			t.Errorf("a buffer beside the error %v", err)
		}
		return
	}
	if b == nil {
		t.Fatal("no buffer")
	}
	if b.Mutable() || !b.Equal(want) || b.Size() != len(want) || len(b.Bytes()) != len(want) || cap(b.Bytes()) != len(want) {
		t.Errorf("not a frozen buffer of the %d bytes that were read", len(want))
	}
	testenv.MustFault(t, "writing what was read", func() { b.Bytes()[0] = 1 })
	if err := b.Melt(); err != nil {
		t.Error(err)
	}
	b.Bytes()[0]++
	destroy(t, b)
}

func TestReadersGiveAllOrAnErrorAndNoBuffer(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend, LockedBytes: 16 * os.Getpagesize()})
		own := errors.New("the reader's own")
		random := rand.New(rand.NewPCG(1, 2))
		for _, size := range []int{0, 1, 5, os.Getpagesize() - locked.CanarySize, os.Getpagesize(), 2*os.Getpagesize() + 77} {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(random.UintN(255)) + 1
			}
			whole := func() io.Reader { return bytes.NewReader(data) }
			// A body that was cut off says so with the error that a short ReadFull has too.
			cut := func() io.Reader { return io.MultiReader(whole(), iotest.ErrReader(io.ErrUnexpectedEOF)) }
			failing := func() io.Reader { return io.MultiReader(whole(), iotest.ErrReader(own)) }
			end := func(empty, rest error) error {
				if size == 0 {
					return empty
				}
				return rest
			}
			b, err := p.ReadFull(whole(), size+3)
			wantRead(t, b, err, nil, end(io.EOF, io.ErrUnexpectedEOF))
			b, err = p.ReadFull(failing(), size+3)
			wantRead(t, b, err, nil, own)
			b, err = p.ReadUntil(failing(), 0)
			wantRead(t, b, err, nil, own)
			b, err = p.ReadUntil(cut(), 0)
			wantRead(t, b, err, nil, io.ErrUnexpectedEOF)
			b, err = p.ReadUntil(whole(), 0)
			wantRead(t, b, err, nil, end(io.EOF, io.ErrUnexpectedEOF))
			b, err = p.ReadUntil(io.MultiReader(whole(), strings.NewReader("\x00more")), 0)
			wantRead(t, b, err, data, end(locked.ErrNothingRead, nil))
			b, err = p.ReadAll(iotest.HalfReader(whole()))
			wantRead(t, b, err, data, end(locked.ErrNothingRead, nil))
			b, err = p.ReadAll(failing())
			wantRead(t, b, err, nil, own)
			b, err = p.ReadAll(cut())
			wantRead(t, b, err, nil, io.ErrUnexpectedEOF)
			b, err = p.ReadAll(iotest.DataErrReader(whole()))
			wantRead(t, b, err, data, end(locked.ErrNothingRead, nil))
			if size > 0 {
				b, err = p.ReadFull(iotest.DataErrReader(whole()), size)
				wantRead(t, b, err, data, nil)
				b, err = p.ReadFull(iotest.DataErrReader(failing()), size)
				wantRead(t, b, err, data, nil)
			}
		}
		if s := p.Stats(); s.OpenBuffers != 0 {
			t.Errorf("%d buffers are left", s.OpenBuffers)
		}
	})
}

// An error beside the last byte of a full piece is said once, and what was cut off
// there is no whole secret.
func TestReadAllKeepsAnErrorThatIsSaidOnce(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	own, said := errors.New("the reader's own"), false
	b, err := p.ReadAll(readFunc(func(b []byte) (int, error) {
		if said {
			return 0, io.EOF
		}
		said = true
		for i := range b {
			b[i] = 1
		}
		return len(b), own
	}))
	wantRead(t, b, err, nil, own)
}

func TestReadUntilReadsNothingBehindTheDelimiter(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	r := strings.NewReader("line\nrest")
	b, err := p.ReadUntil(r, '\n')
	wantRead(t, b, err, []byte("line"), nil)
	if r.Len() != len("rest") {
		t.Errorf("%d bytes are left", r.Len())
	}
}

// What can never fit is told apart from what others are in the way of.
func TestReadersThatOutgrowTheBudgetNameTheSecretsSize(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		for _, read := range []func(io.Reader) (*locked.Buffer, error){
			p.ReadAll,
			func(r io.Reader) (*locked.Buffer, error) { return p.ReadUntil(r, 0) },
		} {
			r := bytes.NewReader(bytes.Repeat([]byte{1}, 2*small()))
			b, err := read(r)
			var limit *locked.LimitError
			if !errors.As(err, &limit) || b != nil {
				t.Fatal(err)
			}
			// Almost half of the budget, at least: the pieces and the whole.
			if got := r.Size() - int64(r.Len()); int64(limit.Size) != got+1 || got < int64(small()/4) {
				t.Errorf("%d bytes fit into %d: %v", got, small(), err)
			}
		}
		if s := p.Stats(); s.OpenBuffers != 0 {
			t.Errorf("%d buffers are left", s.OpenBuffers)
		}
	})
}

func TestReaderThatMisbehavesLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	if b, err := p.ReadAll(readFunc(func([]byte) (int, error) { return 0, nil })); b != nil || err != io.ErrNoProgress {
		t.Error(b, err)
	}
	for _, n := range []int{-1, 1 << 20} {
		if b, err := p.ReadAll(readFunc(func([]byte) (int, error) { return n, nil })); b != nil || err == nil {
			t.Error(b, err)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_, _ = p.ReadAll(readFunc(func(b []byte) (int, error) { panic("on purpose") }))
	}()
	if b, err := p.ReadFull(strings.NewReader("x"), 0); b != nil || err == nil {
		t.Error(b, err)
	}
	var kept []byte
	b, err := p.ReadFull(readFunc(func(b []byte) (int, error) { kept = b; return copy(b, "secret"), nil }), 6)
	if err != nil {
		t.Fatal(err)
	}
	testenv.MustFault(t, "writing a slice that the reader kept", func() { kept[0] = 1 })
	destroy(t, b)
	if s := p.Stats(); s.OpenBuffers != 0 {
		t.Errorf("%d buffers are left", s.OpenBuffers)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

func TestPurgeDuringARead(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	for _, text := range []string{"", "text"} {
		b, err := p.ReadAll(readFunc(func(b []byte) (int, error) {
			if err := p.Purge(); err != nil {
				t.Error(err)
			}
			// The memory is there until this returns.
			return copy(b, text), nil
		}))
		if b != nil || !errors.Is(err, locked.ErrDestroyed) && err != io.ErrNoProgress {
			t.Error(b, err)
		}
	}
	if s := p.Stats(); s.OpenBuffers != 0 {
		t.Errorf("%d buffers are left", s.OpenBuffers)
	}
}

func TestWriteBeforeTheDataIsFoundInBuffersThatWereRead(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	for _, padding := range []int{1, 17, 600} {
		b, err := p.ReadAll(strings.NewReader("a secret"))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Melt(); err != nil {
			t.Fatal(err)
		}
		*at(b.Bytes(), -padding) ^= 1
		if err := b.Destroy(); !errors.Is(err, locked.ErrCorrupted) {
			t.Errorf("%d before: %v", padding, err)
		}
	}
}

// A caller who manages the pages' protection must not confuse the pool.
func TestPagesWithForeignProtectionAreClosedAndUsedAgain(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		for range 20 {
			b := newBuffer(t, p, 40)
			pages := b.Pages()
			if len(pages)%os.Getpagesize() != 0 || &pages[len(pages)-1] != &b.Bytes()[39] {
				t.Fatal("other pages")
			}
			if !testenv.TakeAccess(t, pages) {
				t.Skip("SKIPPED: no mprotect here")
			}
			if err := b.Melt(); err != nil {
				t.Fatal(err)
			}
			b.Bytes()[0] = 7
			testenv.TakeAccess(t, pages)
			destroy(t, b)
			testenv.MustFault(t, "reading a destroyed buffer", func() { testenv.Touch(pages) })
			if b.Pages() != nil {
				t.Error("pages of a destroyed buffer")
			}
		}
	})
}

// A second mapping that counts must not halve the largest buffer that fits.
func TestOneBufferMayTakeMostOfTheBudget(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		const budget = 2 << 20
		p := newPool(t, locked.Config{Backend: backend, LockedBytes: budget, UseSlots: 3})
		b := newBuffer(t, p, budget-1<<18)
		destroy(t, b)
	})
}

func TestBuffersFillMostOfTheBudgetWhateverTheBackendCounts(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		const pages = 256
		p := newPool(t, locked.Config{Backend: backend, LockedBytes: pages * os.Getpagesize()})
		var open []*locked.Buffer
		for {
			b, err := p.New(8)
			if errors.Is(err, locked.ErrExhausted) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			b.Bytes()[0] = byte(len(open))
			open = append(open, b)
		}
		if len(open) < pages*3/4 {
			t.Errorf("%d buffers in %d pages", len(open), pages)
		}
		for i, b := range open {
			if b.Bytes()[0] != byte(i) {
				t.Fatal("another buffer's memory")
			}
			destroy(t, b)
		}
	})
}

// What the budget could never hold twice is a LimitError, whatever its size is beside the
// pieces that it is read in.
func TestReadAllOfWhatCanNeverFitIsALimitError(t *testing.T) {
	t.Parallel()
	const pages = 31
	page := os.Getpagesize()
	p := newPool(t, locked.Config{LockedBytes: pages * page})
	fit, refused := 0, 0
	for size := page / 2; size < 2*pages*page; size += page / 2 {
		b, err := p.ReadAll(io.LimitReader(zeroReader{}, int64(size)))
		var limit *locked.LimitError
		switch {
		case err == nil:
			fit++
			destroy(t, b)
		case errors.As(err, &limit) && limit.Size > 0:
			refused++
		default:
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if fit < pages/2 || refused == 0 {
		t.Errorf("%d sizes fit, %d do not", fit, refused)
	}
}

// zeroReader has zeros without end.
type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }
