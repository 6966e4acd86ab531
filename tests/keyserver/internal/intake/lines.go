package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrTooLong says that a text is longer than [MaxText].
var ErrTooLong = fmt.Errorf("more than %d bytes", MaxText)

// Lines reads lines into memory that its maker gives it, and keeps nothing of
// them anywhere else.
type Lines struct {
	src        io.Reader
	buf        []byte // the caller's; what is outside start and end is zero
	start, end int    // what was read and not returned
	number     int
	skipping   bool  // the rest of a line that was too long
	err        error // of src
}

// maxEmptyReads is how often src may return nothing and no error in a row.
const maxEmptyReads = 100

// NewLines returns a reader of lines of src. A line with its end must fit into
// buf.
func NewLines(src io.Reader, buf []byte) *Lines {
	clear(buf)
	return &Lines{src: src, buf: buf}
}

// Next returns the next line that is not blank, without its end, and its
// number, counted from 1. The line is valid, and may be written to, until the
// next call, which wipes it. [ErrTooLong] stands for one line: the next call
// returns the one after it. Any other error is the end; io.EOF is the good one.
func (l *Lines) Next() ([]byte, int, error) {
	for {
		// What lies before start was returned.
		clear(l.buf[:l.start])
		line, ok := l.cut()
		switch {
		case !ok && l.end-l.start == len(l.buf):
			first := !l.skipping
			l.skip(len(l.buf))
			l.skipping = true
			if first {
				return nil, l.number + 1, ErrTooLong
			}
		case !ok:
			if err := l.fill(); err != nil {
				return nil, l.number, err
			}
		case l.skipping:
			// It was counted when it was cut, and refused before that.
			l.skipping = false
		case len(bytes.TrimSpace(line)) > 0:
			return line, l.number, nil
		}
	}
}

// cut takes the next line out of what was read, and counts it.
func (l *Lines) cut() ([]byte, bool) {
	data := l.buf[l.start:l.end]
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		l.start += i + 1
		l.number++
		return data[:i], true
	}
	// The last line needs no end, but the room for it.
	if len(data) > 0 && len(data) < len(l.buf) && errors.Is(l.err, io.EOF) {
		l.start = l.end
		l.number++
		return data, true
	}
	return nil, false
}

// skip drops and wipes n bytes.
func (l *Lines) skip(n int) {
	clear(l.buf[l.start : l.start+n])
	l.start += n
}

// fill reads more behind what is there, once it has moved that to the front.
func (l *Lines) fill() error {
	if l.err != nil {
		return l.err
	}
	n := copy(l.buf, l.buf[l.start:l.end])
	clear(l.buf[n:])
	l.start, l.end = 0, n
	for range maxEmptyReads {
		n, err := l.src.Read(l.buf[l.end:])
		l.end += n
		l.err = err
		if n > 0 || err != nil {
			return nil
		}
	}
	l.err = io.ErrNoProgress
	return nil
}

// ReadText reads src to its end into buf, for one text of at most len(buf)-1
// bytes, and returns what it read.
func ReadText(src io.Reader, buf []byte) ([]byte, error) {
	// io.ReadFull would call a text that was cut off by the network a short one.
	for n, empty := 0, 0; n < len(buf); empty++ {
		m, err := src.Read(buf[n:])
		n += m
		switch {
		case n == len(buf):
			return nil, ErrTooLong
		case errors.Is(err, io.EOF):
			return buf[:n], nil
		case err != nil:
			return nil, err
		case m > 0:
			empty = 0
		case empty > maxEmptyReads:
			return nil, io.ErrNoProgress
		}
	}
	return nil, ErrTooLong
}
