package enclave

import (
	"bytes"
	"errors"

	"github.com/memkeep/memkeep/internal/redact"
)

// A Text is an Enclave that decoders can fill: a field of this type reads a secret
// from JSON, YAML, TOML, XML or a flag. It prints and encodes as the secret's size
// alone. The decoder may leave the text in ordinary memory; the package
// github.com/memkeep/memkeep/enclave/load reads secrets without that.
type Text struct{ *Enclave }

// UnmarshalText seals the text in the default session, and wipes the text if it is
// writable. Empty text is [ErrEmpty]. Text such as "[REDACTED 32 bytes]" is
// [ErrRedacted]: it comes from a configuration that was saved and read back. After
// an error t is unchanged.
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
