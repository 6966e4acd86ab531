package locked

import (
	"errors"
	"io"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// ErrNothingRead says that a reader gave no byte to keep: it ended at once, or
// the delimiter came first.
var ErrNothingRead = errors.New("locked: nothing to keep was read")

// ReadFull reads size bytes from r straight into locked memory and returns them
// as a frozen buffer, which the caller destroys.
//
// If r ends or fails before, what was read comes with the error, in a frozen
// buffer of its size: [io.ErrUnexpectedEOF], or r's error. If nothing was read
// the buffer is nil, and the end of r is [io.EOF]. Like [Pool.New] it does not
// wait for locked memory. A purge while r.Read runs takes effect when that
// returns; it is [ErrDestroyed]. r must not keep the slices that it is given.
func (p *Pool) ReadFull(r io.Reader, size int) (*Buffer, error) {
	return p.collect(size, func(in *intake) error {
		for in.n < size {
			err := in.read(r, size-in.n)
			switch {
			case err == nil || in.n == size:
			case err == io.EOF && in.n > 0:
				return io.ErrUnexpectedEOF
			default:
				return err
			}
		}
		return nil
	})
}

// ReadUntil is ReadFull up to the first delimiter, which is read from r, is not
// part of the buffer, and is the last byte read: so it asks r for one byte at a
// time. Without a delimiter what was read comes with r's error, [io.EOF] at its
// end. If the delimiter comes first the error is [ErrNothingRead].
//
// The buffer grows as it has to, by doubling, or by less where the budget is
// tight. Where it can't grow, what was read comes with [ErrExhausted] or a
// *[LimitError], and r may be read on.
func (p *Pool) ReadUntil(r io.Reader, delim byte) (*Buffer, error) {
	return p.collect(p.filling(1), func(in *intake) error {
		for {
			if err := in.read(r, 1); err != nil && in.fresh == 0 {
				return err
			}
			if in.drop(delim) {
				return in.any()
			}
			if err := in.makeRoom(); err != nil {
				return err
			}
		}
	})
}

// ReadAll is ReadFull up to the end of r, which is no error unless nothing was
// read: then it is [ErrNothingRead]. It grows the buffer like [Pool.ReadUntil].
func (p *Pool) ReadAll(r io.Reader) (*Buffer, error) {
	return p.collect(p.filling(1), func(in *intake) error {
		for {
			err := in.read(r, in.b.size-in.n)
			if err == io.EOF {
				return in.any()
			}
			if err != nil {
				return err
			}
			if err := in.makeRoom(); err != nil {
				return err
			}
		}
	})
}

// filling is the size of the buffer that fills so many pages.
func (p *Pool) filling(pages int) int { return pages*p.pageSize - CanarySize }

// An intake is a buffer that a reader fills, from its start. It belongs to one
// call.
type intake struct {
	pool  *Pool
	b     *Buffer
	n     int // bytes read
	fresh int // of these, by the last read
}

// collect runs fill on an intake of size bytes and makes a buffer of what it got.
func (p *Pool) collect(size int, fill func(*intake) error) (*Buffer, error) {
	b, err := p.New(size)
	if err != nil {
		return nil, err
	}
	in := &intake{pool: p, b: b}
	kept := false
	// Not after an error alone: r may panic.
	defer func() {
		if !kept {
			// What Destroy could say is in err, or r's panic goes first.
			_ = in.b.Destroy()
		}
	}()
	err = fill(in)
	if in.n == 0 {
		return nil, err
	}
	if shrinkErr := in.b.shrink(in.n); shrinkErr != nil {
		return nil, errors.Join(shrinkErr, err)
	}
	kept = true
	return in.b, err
}

// read reads at most most bytes from r, behind those that are there. Data and
// an error may come together.
func (in *intake) read(r io.Reader, most int) error {
	// What bufio allows a reader that gives nothing and says nothing.
	const patience = 100
	in.fresh = 0
	var readErr error
	// A purge must not take the pages from under r.
	err := in.b.Use(func(b []byte) error {
		end := in.n + most
		for range patience {
			n, err := r.Read(b[in.n:end:end])
			if n < 0 || n > most {
				readErr = errors.New("locked: the reader says it read more than it was asked for")
				return nil
			}
			in.n += n
			in.fresh = n
			if n > 0 || err != nil {
				readErr = err
				return nil
			}
		}
		readErr = io.ErrNoProgress
		return nil
	})
	if err != nil {
		return err
	}
	return readErr
}

// drop takes the byte read last away if it is delim.
func (in *intake) drop(delim byte) (found bool) {
	// A purged buffer is found dead by whatever comes next.
	_ = in.b.Use(func(b []byte) error {
		if b[in.n-1] == delim {
			found = true
			in.n--
			b[in.n] = 0
		}
		return nil
	})
	return found
}

// any is an error if nothing was read.
func (in *intake) any() error {
	if in.n == 0 {
		return ErrNothingRead
	}
	return nil
}

// makeRoom moves what was read into a larger buffer if the one at hand is full.
func (in *intake) makeRoom() error {
	old := in.b
	if in.n < old.size {
		return nil
	}
	pages := old.at.pages
	for more := pages; ; more /= 2 {
		b, err := in.pool.New(in.pool.filling(pages + more))
		var limit *LimitError
		if more > 1 && (errors.Is(err, ErrExhausted) || errors.As(err, &limit)) {
			continue
		}
		if err != nil {
			return err
		}
		err = old.Use(func(from []byte) error {
			return b.Use(func(to []byte) error {
				xchacha.Copy(to, from)
				return nil
			})
		})
		if err != nil {
			return errors.Join(err, b.Destroy())
		}
		in.b = b
		return old.Destroy()
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
