package enclave

import (
	"bytes"
	"errors"

	"github.com/memkeep/memkeep/internal/redact"
)

// A Text is an Enclave that decoders fill from text: a field of this type reads a
// secret from JSON, YAML, TOML, XML or a flag. It prints and encodes as its
// enclave does, as the size alone. What the decoder itself keeps of the text is in
// ordinary memory: see the package load for ways in that leave nothing there.
//
// An Enclave can't be filled itself: it is one piece of memory with its
// ciphertext, which a decoder does not know the size of.
type Text struct{ *Enclave }

// UnmarshalText seals the text in the default session, and wipes the text where
// it can be written. No text is [ErrEmpty]. What an enclave prints is
// [ErrRedacted]: a configuration that was saved and read back must not have
// "[REDACTED 32 bytes]" for a password. After an error t is as it was; the enclave
// that it had is left alone.
func (t *Text) UnmarshalText(text []byte) error {
	if redact.Is(bytes.TrimSpace(text)) {
		return ErrRedacted
	}
	e, err := New(text)
	if errors.Is(err, ErrReadOnly) {
		e, err = NewCopy(text)
	}
	if err != nil {
		return err
	}
	t.Enclave = e
	return nil
}
