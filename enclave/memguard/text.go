package memguard

import "github.com/memkeep/memkeep/enclave/memguard/core"

// These methods are those of the core's types, which a nil pointer can't reach. A structure
// that embeds one may have a nil one when it is encoded or decoded.

// MarshalText encodes the size alone, in JSON too.
func (e *Enclave) MarshalText() ([]byte, error) { return e.inner().MarshalText() }

// UnmarshalText reads back what MarshalText wrote: see [core.Enclave.UnmarshalText].
func (e *Enclave) UnmarshalText(text []byte) error { return e.inner().UnmarshalText(text) }

// UnmarshalJSON is UnmarshalText, and reads memguard's empty object too.
func (e *Enclave) UnmarshalJSON(data []byte) error { return e.inner().UnmarshalJSON(data) }

func (e *Enclave) inner() *core.Enclave {
	if e == nil {
		return nil
	}
	return e.Enclave
}

// MarshalText encodes the size alone, in JSON too.
func (b *LockedBuffer) MarshalText() ([]byte, error) { return b.inner().MarshalText() }

// UnmarshalText reads back what MarshalText wrote: see [core.Buffer.UnmarshalText].
func (b *LockedBuffer) UnmarshalText(text []byte) error { return b.inner().UnmarshalText(text) }

// UnmarshalJSON is UnmarshalText, and reads memguard's empty object too.
func (b *LockedBuffer) UnmarshalJSON(data []byte) error { return b.inner().UnmarshalJSON(data) }

func (b *LockedBuffer) inner() *core.Buffer {
	if b == nil {
		return nil
	}
	return b.Buffer
}
