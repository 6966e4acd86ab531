package core

import (
	"encoding/json"
	"errors"

	"github.com/memkeep/memkeep/internal/redact"
)

// errNoSecret says that a decoder met what can't be a saved value of this package.
var errNoSecret = errors.New("<memguard:core> a secret can't be read from text: seal it with NewEnclave; a structure that embeds one needs an UnmarshalJSON of its own")

// UnmarshalText reads back what MarshalText wrote, or nothing, and leaves the
// enclave as it is, so that a structure which was saved can be read. Any other text
// is an error: it is no way to make a secret.
func (e *Enclave) UnmarshalText(text []byte) error { return readBack(text) }

// UnmarshalJSON is UnmarshalText, and reads an empty object too, which is what memguard
// writes.
func (e *Enclave) UnmarshalJSON(data []byte) error { return readBackJSON(data) }

// UnmarshalText reads back what MarshalText wrote, or nothing, and leaves the
// buffer as it is, so that a structure which was saved can be read. Any other text
// is an error: it is no way to make a secret.
func (b *Buffer) UnmarshalText(text []byte) error { return readBack(text) }

// UnmarshalJSON is UnmarshalText, and reads an empty object too, which is what memguard
// writes.
func (b *Buffer) UnmarshalJSON(data []byte) error { return readBackJSON(data) }

// UnmarshalText reads back what MarshalText wrote, or nothing, and leaves the coffer as it
// is. Any other text is an error.
func (s *Coffer) UnmarshalText(text []byte) error { return readBack(text) }

// UnmarshalJSON is UnmarshalText, and reads an empty object too, which is what memguard
// writes.
func (s *Coffer) UnmarshalJSON(data []byte) error { return readBackJSON(data) }

func readBack(text []byte) error {
	if len(text) == 0 || redact.Is(text) {
		return nil
	}
	return errNoSecret
}

func readBackJSON(data []byte) error {
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) == nil && len(object) == 0 { // or null
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return errNoSecret
	}
	return readBack([]byte(text))
}
