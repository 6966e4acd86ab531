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

// StreamChunkSize is the most that a [Stream] seals as one piece, in bytes. Setting it
// has no effect.
var StreamChunkSize = chunkSize

// A Stream is a queue of bytes, encrypted in ordinary memory. It locks at most one
// piece of [StreamChunkSize], and only while a call runs. [NewStream] returns one.
// Write, Read, Next, Flush and Size lock its mutex.
//
// The list's values are of type *[Enclave]. Methods of the list don't lock the mutex.
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

// Write appends the data to the stream and wipes it. It returns how many bytes it
// appended, and the error that stopped it early: one that wraps a
// *[locked.LimitError], or enclave.ErrReadOnly.
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

// Read moves bytes of the first piece to buf. If the piece does not fit, its rest is
// sealed again as the first piece. If there is none, Read returns [io.EOF]. If no more
// memory can be locked, the stream is unchanged. A piece that a purge made unreadable
// is dropped.
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

// Size returns the number of bytes in the stream.
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

// Next removes the first piece from the stream and returns it in a read-only buffer.
// If there is none, it returns a destroyed buffer and [io.EOF]. Other errors are those
// of Read.
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

// Flush moves all of the stream to one read-only buffer, a destroyed one if the stream
// is empty. After an error it returns what it had moved. If that much can't be locked,
// it moves nothing.
func (s *Stream) Flush() (*LockedBuffer, error) {
	s.made()
	s.Lock()
	defer s.Unlock()
	return NewBufferFromReader(reader(s.read), s.size())
}

// A reader reads by calling itself.
type reader func([]byte) (int, error)

func (r reader) Read(buf []byte) (int, error) { return r(buf) }
