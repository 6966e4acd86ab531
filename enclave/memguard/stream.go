package memguard

import (
	"container/list"
	"io"
	"os"
	"sync"

	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// chunkSize is the most that a stream seals as one piece.
var chunkSize = os.Getpagesize() * 4

// StreamChunkSize is how many bytes a [Stream] seals as one piece at most. It
// tells; setting it changes nothing.
var StreamChunkSize = chunkSize

// A Stream is a queue of bytes that rest encrypted in ordinary memory, with at
// most one piece of [StreamChunkSize] locked, and that only while a call runs. It
// is made by [NewStream]. Write, Read, Next, Flush and Size take its lock.
//
// The list's values are of type *[Enclave]. Its methods don't take the lock, and
// an open Enclave of the list is no longer part of it.
type Stream struct {
	sync.Mutex
	*list.List
}

// made panics on a zero Stream, as memguard does, but says why.
func (s *Stream) made() {
	if s.List == nil {
		panic("memguard: a Stream is made by NewStream")
	}
}

// NewStream returns an empty stream.
func NewStream() *Stream { return &Stream{List: list.New()} }

// Write seals the data behind what is there, and wipes it. After an error, which
// carries a *[locked.LimitError] or is enclave.ErrReadOnly, the returned number of
// bytes are in the stream.
func (s *Stream) Write(data []byte) (int, error) {
	s.made()
	s.Lock()
	defer s.Unlock()
	for n := 0; n < len(data); n += chunkSize {
		e, err := core.NewEnclave(data[n:min(n+chunkSize, len(data))])
		if err != nil {
			return n, err
		}
		s.PushBack(&Enclave{e})
	}
	return len(data), nil
}

// Read moves bytes of the first piece, and of no other, into buf. What buf does
// not hold is sealed again as the first piece. Without a piece it returns
// [io.EOF]. If no more memory can be locked nothing is lost; a piece that a purge
// made unreadable is.
func (s *Stream) Read(buf []byte) (int, error) {
	s.made()
	s.Lock()
	defer s.Unlock()
	return s.read(buf)
}

// read is Read for a caller that holds the lock.
func (s *Stream) read(buf []byte) (int, error) {
	first := s.Front()
	if first == nil {
		return 0, io.EOF
	}
	e := first.Value.(*Enclave)
	if len(buf) < e.Size() {
		return s.readPart(first, buf)
	}
	n, err := core.OpenInto(e.Enclave, buf)
	s.drop(first, err)
	return n, err
}

// readPart is read for a buf that does not hold the first piece.
func (s *Stream) readPart(first *list.Element, buf []byte) (int, error) {
	b, err := core.Open(first.Value.(*Enclave).Enclave)
	if err != nil {
		s.drop(first, err)
		return 0, err
	}
	defer b.Destroy()
	// A purge waits for the lock.
	b.Lock()
	defer b.Unlock()
	data := b.Data()
	if data == nil {
		s.drop(first, core.ErrDecryptionFailed)
		return 0, core.ErrDecryptionFailed
	}
	rest, err := core.NewEnclave(data[len(buf):])
	if err != nil {
		return 0, err
	}
	core.Copy(buf, data)
	first.Value = &Enclave{rest}
	return len(buf), nil
}

// drop takes the first piece out if it was read, or never will be.
func (s *Stream) drop(first *list.Element, err error) {
	if err == nil || err == core.ErrDecryptionFailed {
		s.Remove(first)
	}
}

// Size returns how many bytes are in the stream.
func (s *Stream) Size() int {
	s.made()
	s.Lock()
	defer s.Unlock()
	return s.size()
}

// size is Size for a caller that holds the lock.
func (s *Stream) size() int {
	n := 0
	for e := s.Front(); e != nil; e = e.Next() {
		n += e.Value.(*Enclave).Size()
	}
	return n
}

// Next takes the first piece out of the stream and returns it in a read-only
// buffer. Without one it returns a destroyed buffer and [io.EOF]. The other errors
// are those of Read.
func (s *Stream) Next() (*LockedBuffer, error) {
	s.made()
	s.Lock()
	defer s.Unlock()
	first := s.Front()
	if first == nil {
		return null(), io.EOF
	}
	b, err := first.Value.(*Enclave).Open()
	s.drop(first, err)
	if err != nil {
		return null(), err
	}
	return b, nil
}

// Flush moves everything into one read-only buffer. Of an empty stream that is a
// destroyed one. What was moved before an error comes with it; if so much can't be
// locked, nothing is moved.
func (s *Stream) Flush() (*LockedBuffer, error) {
	s.made()
	s.Lock()
	defer s.Unlock()
	return NewBufferFromReader(reader(s.read), s.size())
}

// A reader reads by calling itself.
type reader func([]byte) (int, error)

func (r reader) Read(buf []byte) (int, error) { return r(buf) }
