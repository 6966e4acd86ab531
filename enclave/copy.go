package enclave

import (
	"fmt"
	"io"
)

// NewCopy is [Session.New] that leaves the secret as it is: for one that lies in
// locked memory, which its owner wipes.
func (s *Session) NewCopy(secret []byte) (*Enclave, error) {
	if len(secret) == 0 {
		return nil, ErrEmpty
	}
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	return s.seal(c, secret)
}

// OpenInto decrypts the secret to the start of dst, which should be locked memory
// and must hold it, and returns the secret's size. It takes no locked memory of
// its own. After an error nothing of the secret is in dst. The errors are those
// of [Enclave.Open].
func (e *Enclave) OpenInto(dst []byte) (int, error) {
	sealed, c, err := e.ready()
	if err != nil {
		return 0, err
	}
	size := int(e.size)
	if len(dst) < size {
		return 0, fmt.Errorf("enclave: dst has %d bytes, the secret %d: %w", len(dst), size, io.ErrShortBuffer)
	}
	if err := c.open(dst[:size], sealed, e.number()); err != nil {
		return 0, err
	}
	return size, nil
}
