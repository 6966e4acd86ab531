package ours

import (
	"bytes"
	"container/list"
	"io"
	"os"
	"sync"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// Every exported name, with the type that it has: what compiles here against
// memguard must compile against the drop-in.
var (
	_ func()                                                  = memguard.CatchInterrupt
	_ func(func(os.Signal), ...os.Signal)                     = memguard.CatchSignal
	_ func(int) *memguard.LockedBuffer                        = memguard.NewBuffer
	_ func([]byte) *memguard.LockedBuffer                     = memguard.NewBufferFromBytes
	_ func(io.Reader) (*memguard.LockedBuffer, error)         = memguard.NewBufferFromEntireReader
	_ func(io.Reader, int) (*memguard.LockedBuffer, error)    = memguard.NewBufferFromReader
	_ func(io.Reader, byte) (*memguard.LockedBuffer, error)   = memguard.NewBufferFromReaderUntil
	_ func(int) *memguard.LockedBuffer                        = memguard.NewBufferRandom
	_ func([]byte) *memguard.Enclave                          = memguard.NewEnclave
	_ func(int) *memguard.Enclave                             = memguard.NewEnclaveRandom
	_ func() *memguard.Stream                                 = memguard.NewStream
	_ func()                                                  = memguard.Purge
	_ func(int)                                               = memguard.SafeExit
	_ func(interface{})                                       = memguard.SafePanic
	_ func([]byte)                                            = memguard.ScrambleBytes
	_ func([]byte)                                            = memguard.WipeBytes
	_ func(*memguard.Enclave) (*memguard.LockedBuffer, error) = (*memguard.Enclave).Open
	_ func(*memguard.Enclave) int                             = (*memguard.Enclave).Size
	_ func(*memguard.LockedBuffer) *[16]byte                  = (*memguard.LockedBuffer).ByteArray16
	_ func(*memguard.LockedBuffer) *[32]byte                  = (*memguard.LockedBuffer).ByteArray32
	_ func(*memguard.LockedBuffer) *[64]byte                  = (*memguard.LockedBuffer).ByteArray64
	_ func(*memguard.LockedBuffer) *[8]byte                   = (*memguard.LockedBuffer).ByteArray8
	_ func(*memguard.LockedBuffer) []byte                     = (*memguard.LockedBuffer).Bytes
	_ func(*memguard.LockedBuffer, []byte)                    = (*memguard.LockedBuffer).Copy
	_ func(*memguard.LockedBuffer, int, []byte)               = (*memguard.LockedBuffer).CopyAt
	_ func(*memguard.LockedBuffer)                            = (*memguard.LockedBuffer).Destroy
	_ func(*memguard.LockedBuffer, []byte) bool               = (*memguard.LockedBuffer).EqualTo
	_ func(*memguard.LockedBuffer)                            = (*memguard.LockedBuffer).Freeze
	_ func(*memguard.LockedBuffer) []int16                    = (*memguard.LockedBuffer).Int16
	_ func(*memguard.LockedBuffer) []int32                    = (*memguard.LockedBuffer).Int32
	_ func(*memguard.LockedBuffer) []int64                    = (*memguard.LockedBuffer).Int64
	_ func(*memguard.LockedBuffer) []int8                     = (*memguard.LockedBuffer).Int8
	_ func(*memguard.LockedBuffer) bool                       = (*memguard.LockedBuffer).IsAlive
	_ func(*memguard.LockedBuffer) bool                       = (*memguard.LockedBuffer).IsMutable
	_ func(*memguard.LockedBuffer)                            = (*memguard.LockedBuffer).Melt
	_ func(*memguard.LockedBuffer, []byte)                    = (*memguard.LockedBuffer).Move
	_ func(*memguard.LockedBuffer, int, []byte)               = (*memguard.LockedBuffer).MoveAt
	_ func(*memguard.LockedBuffer) *bytes.Reader              = (*memguard.LockedBuffer).Reader
	_ func(*memguard.LockedBuffer)                            = (*memguard.LockedBuffer).Scramble
	_ func(*memguard.LockedBuffer) *memguard.Enclave          = (*memguard.LockedBuffer).Seal
	_ func(*memguard.LockedBuffer) int                        = (*memguard.LockedBuffer).Size
	_ func(*memguard.LockedBuffer) string                     = (*memguard.LockedBuffer).String
	_ func(*memguard.LockedBuffer) []uint16                   = (*memguard.LockedBuffer).Uint16
	_ func(*memguard.LockedBuffer) []uint32                   = (*memguard.LockedBuffer).Uint32
	_ func(*memguard.LockedBuffer) []uint64                   = (*memguard.LockedBuffer).Uint64
	_ func(*memguard.LockedBuffer)                            = (*memguard.LockedBuffer).Wipe
	_ func(*memguard.Stream) (*memguard.LockedBuffer, error)  = (*memguard.Stream).Flush
	_ func(*memguard.Stream) (*memguard.LockedBuffer, error)  = (*memguard.Stream).Next
	_ func(*memguard.Stream, []byte) (int, error)             = (*memguard.Stream).Read
	_ func(*memguard.Stream) int                              = (*memguard.Stream).Size
	_ func(*memguard.Stream, []byte) (int, error)             = (*memguard.Stream).Write
	_ int                                                     = memguard.StreamChunkSize
	_ int                                                     = core.Overhead
	_ func([]byte, []byte)                                    = core.Copy
	_ func([]byte, []byte, []byte) (int, error)               = core.Decrypt
	_ func(*core.Enclave) int                                 = core.EnclaveSize
	_ func([]byte, []byte) ([]byte, error)                    = core.Encrypt
	_ func([]byte, []byte) bool                               = core.Equal
	_ func(int)                                               = core.Exit
	_ func([]byte) []byte                                     = core.Hash
	_ func([]byte, []byte)                                    = core.Move
	_ func(int) (*core.Buffer, error)                         = core.NewBuffer
	_ func() *core.Coffer                                     = core.NewCoffer
	_ func([]byte) (*core.Enclave, error)                     = core.NewEnclave
	_ func(*core.Enclave) (*core.Buffer, error)               = core.Open
	_ func(interface{})                                       = core.Panic
	_ func()                                                  = core.Purge
	_ func([]byte) error                                      = core.Scramble
	_ func(*core.Buffer) (*core.Enclave, error)               = core.Seal
	_ func([]byte)                                            = core.Wipe
	_ func(*core.Buffer) bool                                 = (*core.Buffer).Alive
	_ func(*core.Buffer) []byte                               = (*core.Buffer).Data
	_ func(*core.Buffer)                                      = (*core.Buffer).Destroy
	_ func(*core.Buffer)                                      = (*core.Buffer).Freeze
	_ func(*core.Buffer) []byte                               = (*core.Buffer).Inner
	_ func(*core.Buffer)                                      = (*core.Buffer).Melt
	_ func(*core.Buffer) bool                                 = (*core.Buffer).Mutable
	_ func(*core.Buffer)                                      = (*core.Buffer).Scramble
	_ func(*core.Coffer) error                                = (*core.Coffer).Destroy
	_ func(*core.Coffer) bool                                 = (*core.Coffer).Destroyed
	_ func(*core.Coffer) error                                = (*core.Coffer).Init
	_ func(*core.Coffer) error                                = (*core.Coffer).Rekey
	_ func(*core.Coffer) (*core.Buffer, error)                = (*core.Coffer).View
	_ error                                                   = core.ErrBufferExpired
	_ error                                                   = core.ErrBufferTooSmall
	_ error                                                   = core.ErrCofferExpired
	_ error                                                   = core.ErrDecryptionFailed
	_ error                                                   = core.ErrInvalidKeyLength
	_ error                                                   = core.ErrNullBuffer
	_ error                                                   = core.ErrNullEnclave
)

// What the types embed is in use too: the locks, the inner values, the list.
func surface(b *memguard.LockedBuffer, e *memguard.Enclave, s *memguard.Stream, c *core.Coffer) {
	var _ *core.Buffer = b.Buffer
	var _ *core.Enclave = e.Enclave
	var _ *list.List = s.List
	var _ *sync.RWMutex = &b.RWMutex
	var _ *sync.Mutex = &s.Mutex
	var _ *sync.Mutex = &c.Mutex
	_ = []any{&memguard.LockedBuffer{Buffer: b.Buffer}, &memguard.Enclave{Enclave: e.Enclave}, new(memguard.Stream), new(core.Coffer), new(core.Buffer), new(core.Enclave)}
	memguard.StreamChunkSize = memguard.StreamChunkSize / 1
	_ = []func(){b.Lock, b.Unlock, b.RLock, b.RUnlock}
	_ = b.TryLock()
	_ = b.RLocker()
	var _ sync.Locker = s
	_ = s.PushBack(e)
}

var _ = surface
