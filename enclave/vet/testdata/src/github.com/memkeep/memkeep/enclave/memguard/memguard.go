// Package memguard has the signatures of the real one.
package memguard

import (
	"bytes"
	"sync"

	"github.com/memkeep/memkeep/enclave/memguard/core"
)

type LockedBuffer struct{ *core.Buffer }

type Enclave struct{ *core.Enclave }

type Stream struct{ sync.Mutex }

func NewBuffer(size int) *LockedBuffer           { return nil }
func (e *Enclave) Open() (*LockedBuffer, error)  { return nil, nil }
func (b *LockedBuffer) Bytes() []byte            { return b.Data() }
func (b *LockedBuffer) String() string           { return "" }
func (b *LockedBuffer) Reader() *bytes.Reader    { return nil }
func (b *LockedBuffer) ByteArray32() *[32]byte   { return nil }
func (b *LockedBuffer) Uint64() []uint64         { return nil }
func (b *LockedBuffer) Destroy()                 {}
func (b *LockedBuffer) Seal() *Enclave           { return nil }
func (s *Stream) Write(data []byte) (int, error) { return 0, nil }
func Purge()                                     {}
