package load

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/memkeep/memkeep/locked"
)

// An intake is a locked buffer that a reader fills. It belongs to one call.
type intake struct {
	l   Loader
	b   *locked.Buffer
	n   int // bytes read
	max int // the most there may be
}

// read reads r to its end into locked memory and calls consume with all of it. hint
// is the size that is expected, 0 if that is unknown.
func (l Loader) read(ctx context.Context, r io.Reader, hint int, consume consumer) (err error) {
	in := &intake{l: l, max: l.maxSize()}
	// One more byte tells the end from a secret that is too large, or that grew.
	size := os.Getpagesize() - locked.CanarySize
	if hint > 0 {
		size = hint + 1
	}
	if in.b, err = l.session().NewBufferContext(ctx, min(size, in.max+1)); err != nil {
		return err
	}
	// Not after an error alone: r may panic.
	defer func() { err = join(err, in.b.Destroy()) }()
	defer interrupt(ctx, r)()
	for {
		more, err := in.fill(ctx, r)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if in.n > in.max {
			return l.tooLarge()
		}
		if err := in.makeRoom(ctx); err != nil {
			return err
		}
	}
	return in.b.Use(func(b []byte) error { return consume(b[:in.n]) })
}

// interrupt ends the reads of r when ctx does, if r can be told. It returns what
// undoes that.
func interrupt(ctx context.Context, r io.Reader) (stop func() bool) {
	f, ok := r.(interface{ SetReadDeadline(time.Time) error })
	if !ok {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() {
		// A file without deadlines is read to its end.
		_ = f.SetReadDeadline(time.Unix(1, 0))
	})
}

// fill reads until the buffer is full or r ends, and reports whether there may be
// more.
func (in *intake) fill(ctx context.Context, r io.Reader) (more bool, err error) {
	// What bufio allows a reader that gives nothing and says nothing.
	const patience = 100
	// A purge must not take the pages from under r.
	useErr := in.b.Use(func(b []byte) error {
		for idle := 0; in.n < len(b) && idle < patience; {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			free := b[in.n:len(b):len(b)]
			n, err := r.Read(free)
			if n < 0 || n > len(free) {
				return fmt.Errorf("the reader says it read %d bytes, and was asked for %d", n, len(free))
			}
			in.n += n
			switch {
			case err == io.EOF:
				return io.EOF
			case err != nil && ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				return err
			case n == 0:
				idle++
			default:
				idle = 0
			}
		}
		if in.n < len(b) {
			return io.ErrNoProgress
		}
		return nil
	})
	if useErr == io.EOF {
		if in.n > in.max {
			return false, in.l.tooLarge()
		}
		return false, nil
	}
	return true, useErr
}

// makeRoom doubles the buffer, as far as the budget goes. What was read is sealed
// meanwhile, so that no locked memory is held while waiting for more.
func (in *intake) makeRoom(ctx context.Context) error {
	s := in.l.session()
	size := min(2*in.b.Size(), in.max+1, max(s.Stats().LargestSecret, in.b.Size()+1))
	e, err := s.Seal(in.b)
	if err != nil {
		return err
	}
	defer e.Destroy()
	larger, err := s.NewBufferContext(ctx, size)
	if err != nil {
		return err
	}
	in.b = larger
	return larger.Use(func(b []byte) error {
		_, err := e.OpenInto(b)
		return err
	})
}
