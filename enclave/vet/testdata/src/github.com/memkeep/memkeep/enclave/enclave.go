// Package enclave has the signatures of the real one.
package enclave

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/memkeep/memkeep/locked"
)

type Enclave struct{ session atomic.Uint32 }

func New(secret []byte) (*Enclave, error)                                        { return nil, nil }
func NewFunc(size int, fill func(dst []byte) error) (*Enclave, error)            { return nil, nil }
func NewBuffer(size int) (*locked.Buffer, error)                                 { return nil, nil }
func ReadAll(r io.Reader) (*locked.Buffer, error)                                { return nil, nil }
func Seal(b *locked.Buffer) (*Enclave, error)                                    { return nil, nil }
func UseAll(fn func(secrets [][]byte) error, e ...*Enclave) error                { return nil }
func Purge() error                                                               { return nil }
func (e *Enclave) Use(fn func(secret []byte) error) error                        { return nil }
func (e *Enclave) Open() (*locked.Buffer, error)                                 { return nil, nil }
func (e *Enclave) Size() int                                                     { return 0 }
func (e *Enclave) Destroy()                                                      {}
func Get[T any](e *Enclave, fn func(secret []byte) (T, error)) (zero T, _ error) { return }

func UseAllContext(ctx context.Context, fn func(secrets [][]byte) error, e ...*Enclave) error {
	return nil
}

func GetContext[T any](ctx context.Context, e *Enclave, fn func(secret []byte) (T, error)) (zero T, _ error) {
	return
}

func (e *Enclave) UseContext(ctx context.Context, fn func(secret []byte) error) error { return nil }
func (e *Enclave) OpenContext(ctx context.Context) (*locked.Buffer, error)            { return nil, nil }

type Session struct{ mu sync.Mutex }

func (s *Session) Close() error { return nil }

func (s *Session) NewFunc(size int, fill func(dst []byte) error) (*Enclave, error) { return nil, nil }

func (s *Session) NewFuncContext(ctx context.Context, size int, fill func(dst []byte) error) (*Enclave, error) {
	return nil, nil
}

type Text struct{ *Enclave }

type Stream struct{ mu sync.Mutex }

func (s *Stream) Write(data []byte) (int, error) { return 0, nil }
