package enclave

import (
	"errors"
	"io"
	"os"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// none is no delimiter.
const none = -1

// ReadFull reads size bytes from r straight into locked memory and returns them in a
// frozen buffer. The caller destroys it. If r ends early, the error is
// [io.ErrUnexpectedEOF], or [io.EOF] if r gave nothing. Other errors are those of r
// and of [Enclave.Open].
func (s *Session) ReadFull(r io.Reader, size int) (*locked.Buffer, error) {
	return whole(s.readFull(r, size))
}

// ReadUntil reads from r up to the first delim, which is not part of the buffer, and
// not beyond it: so it reads one byte at a time. Otherwise it is like
// [Session.ReadFull]. If delim comes first, the error is [ErrNothingRead]; if r ends
// before it, [io.ErrUnexpectedEOF], or [io.EOF] if r gave nothing.
//
// A secret of more than a page is read in pieces, which stay sealed until the last
// one is there, so it may be as large as the budget allows. A larger one is a
// *[LimitError], as soon as that much was read.
func (s *Session) ReadUntil(r io.Reader, delim byte) (*locked.Buffer, error) {
	return whole(s.collect(r, int(delim), false))
}

// ReadAll reads r to its end. Otherwise it is like [Session.ReadUntil]. If r is empty,
// the error is [ErrNothingRead].
func (s *Session) ReadAll(r io.Reader) (*locked.Buffer, error) {
	return whole(s.collect(r, none, false))
}

// whole returns b, or wipes it if there was an error.
func whole(b *locked.Buffer, err error) (*locked.Buffer, error) {
	if b == nil || err == nil {
		return b, err
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, join(err, b.Destroy())
}

// join is errors.Join that leaves a single error as it is.
func join(first, second error) error {
	switch {
	case second == nil:
		return first
	case first == nil:
		return second
	}
	return errors.Join(first, second)
}

// readPiece is [bridge.ReadPiece] in the session's pool.
func (c *core) readPiece(r io.Reader, size, delim int) (*locked.Buffer, bool, error) {
	b, done, err := bridge.ReadPiece(c.pool, r, size, delim)
	if b == nil {
		return nil, done, err
	}
	return b.(*locked.Buffer), done, err
}

// readFull is ReadFull that also returns what was read before an error.
func (s *Session) readFull(r io.Reader, size int) (*locked.Buffer, error) {
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	b, _, err := c.readPiece(r, size, none)
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
	return b, err
}

// collect reads up to delim, or to the end of r if delim is none. With part it also
// returns what was read before an error, which then is all that was read.
func (s *Session) collect(r io.Reader, delim int, part bool) (*locked.Buffer, error) {
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	b, done, err := c.readPiece(r, firstPiece(), delim)
	switch {
	case b == nil && err == nil && done:
		return nil, ErrNothingRead
	case done || err != nil:
		return b, err
	}
	p := &pieces{session: s, core: c, part: part}
	if err := p.add(b); err != nil {
		return nil, err
	}
	for !done && err == nil {
		var size int
		if size, err = p.next(); err == nil {
			b, done, err = c.readPiece(r, size, delim)
			err = join(err, p.add(b))
		}
	}
	b, openErr := p.open()
	if openErr != nil && err == io.EOF {
		err = io.ErrUnexpectedEOF // there was something
	}
	return b, join(err, openErr)
}

// pieces is a secret that is being read, sealed piece by piece.
type pieces struct {
	session *Session
	core    *core
	sealed  []*Enclave
	size    int  // bytes in all
	part    bool // nothing is read that would be dropped
}

// firstPiece is the size that, with its canary, fills a page.
func firstPiece() int { return os.Getpagesize() - locked.CanarySize }

// next returns the size of the next piece: as much as can be opened together with the
// others. If that is nothing, it is the one byte more that tells whether r has ended, or a
// *LimitError.
func (p *pieces) next() (int, error) {
	size := min(streamChunkSize, p.core.largest-p.size)
	if size < 1 && p.part {
		return 0, p.core.tooLarge(p.size + 1)
	}
	return max(size, 1), nil
}

// add seals a piece and destroys it. A nil piece is none. One that can't be opened
// together with the others is dropped, and a *LimitError.
func (p *pieces) add(b *locked.Buffer) error {
	if b == nil {
		return nil
	}
	if size := p.size + b.Size(); size > p.core.largest {
		return join(p.core.tooLarge(size), b.Destroy())
	}
	e, err := p.session.Seal(b)
	if err != nil {
		return errors.Join(err, b.Destroy())
	}
	p.sealed = append(p.sealed, e)
	p.size += e.Size()
	return nil
}

// open returns all pieces in one frozen buffer.
func (p *pieces) open() (*locked.Buffer, error) {
	b, err := p.core.pool.NewFrozen(p.size, func(dst []byte) error {
		for _, e := range p.sealed {
			n, err := e.OpenInto(dst)
			if err != nil {
				return err
			}
			dst = dst[n:]
		}
		return nil
	})
	for _, e := range p.sealed {
		e.Destroy()
	}
	return b, err
}

// readPart is [bridge.ReadPart].
func (s *Session) readPart(r io.Reader, size, delim int) (any, error) {
	read := func() (*locked.Buffer, error) { return s.collect(r, delim, true) }
	if size > 0 {
		read = func() (*locked.Buffer, error) { return s.readFull(r, size) }
	}
	b, err := read()
	if b == nil {
		return nil, err
	}
	if size > 0 && b.Alive() && pagesOf(b.Size()) < pagesOf(size) {
		if c, openErr := s.open(); openErr == nil {
			var fitErr error
			b, fitErr = c.fit(b)
			err = join(err, fitErr)
		}
	}
	return b, err
}

// fit returns the secret in a buffer of no more pages than it needs, and destroys b. If
// there is no such buffer now, it returns b.
func (c *core) fit(b *locked.Buffer) (*locked.Buffer, error) {
	fitting, err := c.pool.NewFrozen(b.Size(), func(dst []byte) error {
		return b.Use(func(src []byte) error {
			xchacha.Copy(dst, src)
			return nil
		})
	})
	if err != nil {
		return b, nil
	}
	return fitting, b.Destroy()
}

// pagesOf returns how many pages a secret and its canary take.
func pagesOf(size int) int {
	return (size + locked.CanarySize + os.Getpagesize() - 1) / os.Getpagesize()
}
