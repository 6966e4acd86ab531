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

// StreamChunkSize is the most that a [Stream] seals as one piece: with its canary
// it fills four pages of 4 KiB.
const StreamChunkSize = 16<<10 - locked.CanarySize

// A Stream is a queue of bytes that rest encrypted in ordinary memory: what is
// written first is read first. It holds as much as the heap does, with at most
// one chunk of [StreamChunkSize] bytes locked, and that only while a call runs.
// It is safe for concurrent use; each call is one step. It prints as its size
// alone. The zero Stream is an empty one of the default session.
//
// Each Write makes chunks of its own, of some hundred bytes of overhead: write
// large pieces. [io.Copy] to and from a Stream keeps the data off the Go heap.
type Stream struct {
	session *Session // nil for the default one

	mu     sync.Mutex // protects what follows
	chunks list.List  // of *Enclave
	offset int        // bytes of the first chunk that were read already
	size   int        // bytes not read yet
}

// NewStream returns an empty stream, whose chunks are sealed in the session.
func (s *Session) NewStream() *Stream { return &Stream{session: s} }

// owner returns the session that chunks are sealed in.
func (s *Stream) owner() *Session {
	if s.session == nil {
		return Default()
	}
	return s.session
}

// Write seals the data behind what is there. The data stays as it is: its owner
// wipes it. After an error the returned number of bytes are in the stream.
func (s *Stream) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(data) {
		chunk := data[n:min(n+StreamChunkSize, len(data))]
		e, err := s.owner().NewCopy(chunk)
		if err != nil {
			return n, err
		}
		s.push(e)
		n += len(chunk)
	}
	return n, nil
}

// ReadFrom seals what r gives until its end, by way of a locked buffer of one
// chunk. It implements [io.ReaderFrom]. What was read before an error is in the
// stream: any error but [io.EOF] says that it may not be all.
func (s *Stream) ReadFrom(r io.Reader) (int64, error) {
	c, err := s.owner().open()
	if err != nil {
		return 0, err
	}
	var total int64
	for {
		// Without the lock: r may be slow, or read this stream.
		b, done, err := c.readPiece(r, StreamChunkSize, none)
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

// Read fills p, which should be locked memory, with the oldest bytes, and takes
// them out of the stream. At the end of the data it returns [io.EOF]; the stream
// may be written on. A chunk that fits into p is decrypted right there; another
// one needs a slot, like [Enclave.Use]. After an error what was not read is still
// in the stream; [ErrDecrypt], as after a purge, stays until [Stream.Reset].
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

// readChunk reads from the first chunk alone. The caller holds mu, and there is
// a chunk.
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

// advance drops n bytes of the first chunk. The caller holds mu.
func (s *Stream) advance(n int) {
	first := s.chunks.Front()
	s.offset += n
	s.size -= n
	if s.offset == int(first.Value.(*Enclave).size) {
		s.chunks.Remove(first)
		s.offset = 0
	}
}

// WriteTo writes everything to w, a chunk at a time from locked memory, and takes
// it out of the stream. It implements [io.WriterTo]. After an error what w did
// not take is still in the stream. w must not use this stream.
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

// Size returns how many bytes are in the stream.
func (s *Stream) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Reset drops everything that is in the stream.
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
