package locked

import (
	"cmp"
	"errors"
	"io"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// ErrNothingRead reports that a reader gave no secret: it was empty, or the delimiter
// came first.
var ErrNothingRead = errors.New("locked: no secret was read")

func init() {
	bridge.ReadPiece = func(pool any, r io.Reader, size, delim int) (any, bool, error) {
		b, done, err := pool.(*Pool).readPiece(r, size, delim)
		if b == nil {
			return nil, done, err
		}
		return b, done, err
	}
}

// ReadFull reads size bytes from r straight into locked memory and returns them in a
// frozen buffer. The caller destroys it. r must not keep the slices that it reads into.
//
// After an error, ReadFull wipes what it read and returns no buffer. The error is
// [io.EOF] if r gave nothing, [io.ErrUnexpectedEOF] if it ended early, or r's own. A
// purge while r.Read runs takes effect when that returns; the error is [ErrDestroyed].
// Like [Pool.New], ReadFull does not wait for locked memory.
func (p *Pool) ReadFull(r io.Reader, size int) (*Buffer, error) {
	b, _, err := p.readPiece(r, size, none)
	switch {
	case b == nil && err == nil:
		return nil, io.EOF
	case b == nil:
		return nil, err
	case b.Size() == size:
		// An error that came with the last byte is about what follows.
		return b, nil
	case !b.Alive(): // by a purge
		err = join(ErrDestroyed, err)
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return nil, join(err, b.Destroy())
}

// ReadUntil reads from r up to the first delim, which is not part of the buffer, and not
// beyond it: so it reads one byte at a time. Otherwise it is like [Pool.ReadFull]. If
// delim comes first, the error is [ErrNothingRead]; if r ends before it,
// [io.ErrUnexpectedEOF], or [io.EOF] if r gave nothing.
//
// ReadUntil collects pieces and copies them to one buffer at the end, so the budget must
// hold the secret twice. If it can't, the error is a *[LimitError]; if other buffers are
// in the way, [ErrExhausted].
func (p *Pool) ReadUntil(r io.Reader, delim byte) (*Buffer, error) {
	return p.collect(r, int(delim))
}

// ReadAll reads r to its end. Otherwise it is like [Pool.ReadUntil]. If r is empty, the
// error is [ErrNothingRead].
func (p *Pool) ReadAll(r io.Reader) (*Buffer, error) { return p.collect(r, none) }

// none is no delimiter.
const none = -1

// collect reads up to delim, or up to the end of r if that is none.
func (p *Pool) collect(r io.Reader, delim int) (*Buffer, error) {
	var pieces []*Buffer
	total := 0
	// Not after an error alone: r may panic.
	defer func() {
		for _, b := range pieces {
			// What Destroy could say of a piece its copying has said.
			_ = b.Destroy()
		}
	}()
	for {
		next, err := p.newPiece(total)
		if err != nil {
			return nil, err
		}
		b, done, err := next.fill(r, delim)
		if b != nil {
			pieces = append(pieces, b)
			total += b.Size()
			if !b.Alive() { // by a purge
				err = join(ErrDestroyed, err)
			}
		}
		if err == io.EOF && total > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if done {
			break
		}
	}
	switch len(pieces) {
	case 0:
		return nil, ErrNothingRead
	case 1:
		b := pieces[0]
		pieces = nil
		return b, nil
	}
	whole, err := p.NewFrozen(total, func(whole []byte) error {
		for _, b := range pieces {
			err := b.Use(func(piece []byte) error {
				xchacha.Copy(whole, piece)
				whole = whole[len(piece):]
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == ErrExhausted {
		pages := layoutOf(total, p.store.pageSize).pages
		for _, b := range pieces {
			pages += b.at.pages
		}
		err = cmp.Or(forSecret(total, p.store.fits(pages)), err)
	}
	return whole, err
}

// newPiece returns a buffer for what comes behind total bytes: for as much again,
// or less where the budget is tight.
func (p *Pool) newPiece(total int) (*Buffer, error) {
	if p.store.backend == nil {
		return nil, errZero
	}
	var limit *LimitError
	// At the end pieces and whole are locked at once.
	if err := p.store.fits(layoutOf(2*total+1, p.store.pageSize).pages); err != nil {
		return nil, forSecret(total+1, err) // at least that
	}
	for pages := max(1, total/p.store.pageSize); ; pages /= 2 {
		b, err := p.New(pages*p.store.pageSize - CanarySize)
		if pages == 1 || !errors.Is(err, ErrExhausted) && !errors.As(err, &limit) {
			return b, err
		}
	}
}

// readPiece is New and fill.
func (p *Pool) readPiece(r io.Reader, size, delim int) (_ *Buffer, done bool, err error) {
	b, err := p.New(size)
	if err != nil {
		return nil, false, err
	}
	return b.fill(r, delim)
}

// fill reads from r until the buffer is full, or until delim, which is taken from r
// and dropped, or until r ends or fails, and freezes what was read. done says that
// it came to delim, or without one to the end of r, which is no error then. What
// was read before an error is in the buffer; if that is nothing b is destroyed, and
// the returned buffer nil.
func (b *Buffer) fill(r io.Reader, delim int) (_ *Buffer, done bool, err error) {
	kept := false
	// Not after an error alone: r may panic.
	defer func() {
		if !kept {
			// What Destroy could say is in err, or r's panic goes first.
			_ = b.Destroy()
		}
	}()
	in := intake{b: b, delim: delim}
	for size := b.size; in.n < size && !in.done && err == nil; {
		err = in.read(r)
	}
	if in.n == 0 {
		return nil, in.done, err
	}
	if shrinkErr := b.shrink(in.n); shrinkErr != nil {
		return nil, in.done, join(shrinkErr, err)
	}
	kept = true
	return b, in.done, err
}

// An intake is a buffer that a reader fills, from its start. It belongs to one
// call.
type intake struct {
	b     *Buffer
	delim int
	n     int  // bytes read
	done  bool // the delimiter or the end came
}

// read reads at most what fits, behind what is there, or one byte if there is a
// delimiter to find.
func (in *intake) read(r io.Reader) error {
	// What bufio allows a reader that gives nothing and says nothing.
	const patience = 100
	var readErr error
	// A purge must not take the pages from under r.
	err := in.b.Use(func(b []byte) error {
		end := len(b)
		if in.delim != none {
			end = in.n + 1
		}
		for range patience {
			var n int
			n, readErr = r.Read(b[in.n:end:end])
			if n < 0 || n > end-in.n {
				readErr = errors.New("locked: the reader returned an invalid count")
				return nil
			}
			in.n += n
			if n > 0 || readErr != nil {
				in.look(b, n)
				return nil
			}
		}
		readErr = io.ErrNoProgress
		return nil
	})
	if err != nil {
		return err
	}
	if readErr == io.EOF && in.delim == none {
		in.done = true
	}
	if in.done {
		return nil
	}
	return readErr
}

// look finds the delimiter in the n bytes that were read last, and drops it.
func (in *intake) look(b []byte, n int) {
	if in.delim != none && n > 0 && int(b[in.n-1]) == in.delim {
		in.n--
		b[in.n] = 0
		in.done = true
	}
}

// shrink keeps the first n bytes, moves them so that they end at the guard page,
// and freezes the buffer. What memory is left over stays part of its slot.
func (b *Buffer) shrink(n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.alive() {
		return ErrDestroyed
	}
	if n < b.size {
		window, canary := b.slot.run.Window, &b.pool.canary
		// The old canary goes, so what it saw must be told now.
		if !b.at.intact(window, canary) || !allZero(window[:b.at.canary]) {
			return ErrCorrupted
		}
		at := b.at.shrunk(b.size - n)
		xchacha.Copy(window[at.data:], window[b.at.data:b.at.data+n])
		wipe.Bytes(window[b.at.canary:at.canary])
		at.put(window, canary)
		b.at, b.size = at, n
	}
	if err := b.pool.show(b.slot, page.Read); err != nil {
		return err
	}
	b.mutable = false
	return nil
}

// shrunk is the layout in the same pages of data that is by bytes shorter.
func (l layout) shrunk(by int) layout {
	return layout{pages: l.pages, canary: l.canary + by, data: l.data + by}
}
