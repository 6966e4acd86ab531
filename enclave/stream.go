package enclave

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// streamChunkSize is the most that a [Stream] seals as one piece: with its canary
// it fills four pages of 4 KiB.
const streamChunkSize = 16<<10 - locked.CanarySize

// A Stream is a first-in, first-out queue of bytes, encrypted in ordinary memory. It
// can hold as much as the heap, and locks at most one chunk of 16 KiB, and only
// while a call runs. It is safe for concurrent use, and prints as its size alone.
// The zero Stream is an empty stream of the default session.
//
// Each Write makes chunks of its own, with about 100 bytes of overhead each, so
// write large pieces. [io.Copy] to and from a Stream keeps the data off the Go heap.
type Stream struct {
	session *Session // nil for the default one

	mu     sync.Mutex // protects what follows
	chunks list.List  // of *Enclave
	offset int        // bytes of the first chunk already read
	size   int        // bytes not yet read
}

// NewStream returns an empty stream that seals its chunks in the session.
func (s *Session) NewStream() *Stream { return &Stream{session: s} }

// owner returns the session that chunks are sealed in.
func (s *Stream) owner() *Session {
	if s.session == nil {
		return Default()
	}
	return s.session
}

// Write appends the data to the stream. It does not wipe the data. It returns how
// many bytes it appended, and the error that stopped it early.
func (s *Stream) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(data) {
		chunk := data[n:min(n+streamChunkSize, len(data))]
		e, err := s.owner().NewCopy(chunk)
		if err != nil {
			return n, err
		}
		s.push(e)
		n += len(chunk)
	}
	return n, nil
}

// ReadFrom appends what it reads from r until the end of r, through locked memory. It
// implements [io.ReaderFrom]. It returns how many bytes it appended, and the first
// error other than [io.EOF].
func (s *Stream) ReadFrom(r io.Reader) (int64, error) {
	c, err := s.owner().open()
	if err != nil {
		return 0, err
	}
	var total int64
	for {
		// Not under the lock: r may be slow, or read this stream.
		b, done, err := c.readPiece(r, streamChunkSize, none)
		if b != nil {
			e, sealErr := c.session.Seal(b)
			if e == nil {
				return total, errors.Join(sealErr, err, b.Destroy())
			}
			s.mu.Lock()
			s.push(e)
			s.mu.Unlock()
			total += int64(e.size)
			err = join(err, sealErr)
		}
		if err != nil || done {
			return total, err
		}
	}
}

// push appends a chunk. The caller holds mu.
func (s *Stream) push(e *Enclave) {
	s.chunks.PushBack(e)
	s.size += int(e.size)
}

// Read removes the oldest bytes from the stream and writes them to p, which should be
// locked memory. It returns [io.EOF] while the stream is empty; more may be written
// to it. A chunk that does not fit into p takes locked memory, like [Enclave.Use].
// After an error the unread bytes are still in the stream. [ErrPurged] and
// [ErrDecrypt] persist until [Stream.Reset].
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(p) && s.size > 0 {
		got, err := s.readChunk(p[n:])
		n += got
		if err != nil {
			return n, err
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// readChunk reads from the first chunk, which exists. The caller holds mu.
func (s *Stream) readChunk(p []byte) (n int, err error) {
	e := s.chunks.Front().Value.(*Enclave)
	if s.offset == 0 && len(p) >= int(e.size) {
		n, err = e.OpenInto(p)
	} else {
		err = e.Use(func(secret []byte) error {
			n = xchacha.Copy(p, secret[s.offset:])
			return nil
		})
	}
	if n > 0 {
		s.advance(n)
	}
	return n, err
}

// advance removes n bytes of the first chunk. The caller holds mu.
func (s *Stream) advance(n int) {
	first := s.chunks.Front()
	s.offset += n
	s.size -= n
	if s.offset == int(first.Value.(*Enclave).size) {
		s.chunks.Remove(first)
		s.offset = 0
	}
}

// WriteTo writes all of the stream to w, one chunk at a time from locked memory, and
// removes what w accepted. It implements [io.WriterTo]. After an error the rest is
// still in the stream. w must not use this stream.
func (s *Stream) WriteTo(w io.Writer) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var total int64
	for s.size > 0 {
		n, short := 0, false
		e := s.chunks.Front().Value.(*Enclave)
		err := e.Use(func(secret []byte) (err error) {
			rest := secret[s.offset:]
			n, err = w.Write(rest)
			if wrote := n; wrote < 0 || wrote > len(rest) {
				n = 0
				return fmt.Errorf("enclave: the writer reported %d of %d bytes written", wrote, len(rest))
			}
			short = n < len(rest)
			return err
		})
		total += int64(n)
		s.advance(n)
		if err == nil && short {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// Size returns the number of bytes in the stream.
func (s *Stream) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Reset empties the stream.
func (s *Stream) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chunks.Init()
	s.offset, s.size = 0, 0
}

// Format prints the size alone, whatever the verb.
func (s *Stream) Format(f fmt.State, verb rune) { redact.Secret(s.Size()).Format(f, verb) }

// String returns the size alone: "[REDACTED 32 bytes]".
func (s *Stream) String() string { return redact.Secret(s.Size()).String() }

// GoString returns the size alone.
func (s *Stream) GoString() string { return s.String() }

// LogValue logs the size alone.
func (s *Stream) LogValue() slog.Value { return redact.Secret(s.Size()).LogValue() }

// MarshalText encodes the size alone, in JSON too.
func (s *Stream) MarshalText() ([]byte, error) { return redact.Secret(s.Size()).MarshalText() }
