package hashing

import (
	"bytes"
	"crypto"
	"fmt"
)

// selfTest compares with the standard library's own digests, of messages that
// take one and two blocks of padding and that are written whole, in pieces, and
// across a Save and a Load.
func (h *Hash) selfTest(function crypto.Hash) error {
	size := h.h.BlockSize()
	message := make([]byte, 2*size+1)
	for i := range message {
		message[i] = byte(i)
	}
	got := make([]byte, MaxChainSize)
	for _, n := range []int{0, 1, size - h.lengthSize - 1, size - h.lengthSize, size, 2*size + 1} {
		want := function.New()
		want.Write(message[:n])
		sum := want.Sum(nil)

		h.Reset()
		h.Write(message[:n/2])
		h.Write(message[n/2 : n])
		h.Sum(got)
		if !bytes.Equal(got[:len(sum)], sum) {
			return fmt.Errorf("%w: self-test of %v failed", ErrUnsupported, function)
		}
		if n < size {
			continue
		}
		h.Reset()
		h.Write(message[:size])
		h.Save(got)
		h.Reset()
		h.Load(got, 1)
		h.Write(message[size:n])
		h.Sum(got)
		if !bytes.Equal(got[:len(sum)], sum) {
			return fmt.Errorf("%w: self-test of %v's saved state failed", ErrUnsupported, function)
		}
	}
	h.Forget()
	return nil
}
