package enclave

import (
	"fmt"
	"io"
)

// NewCopy is like [Session.New], but does not wipe the secret. Use it for a secret
// that lies in locked memory.
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

// OpenInto decrypts the secret to the start of dst and returns the secret's size.
// dst should be locked memory. If dst is too short, the error wraps
// [io.ErrShortBuffer]; other errors are those of [Enclave.Open]. After an error dst
// holds nothing of the secret. OpenInto takes nothing from the budget.
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
