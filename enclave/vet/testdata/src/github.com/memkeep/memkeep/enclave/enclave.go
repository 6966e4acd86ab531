// Package enclave has the signatures of the real one.
package enclave

import "github.com/memkeep/memkeep/locked"

type Enclave struct{}

func New(secret []byte) (*Enclave, error)                                        { return nil, nil }
func NewFunc(size int, fill func(dst []byte) error) (*Enclave, error)            { return nil, nil }
func NewBuffer(size int) (*locked.Buffer, error)                                 { return nil, nil }
func Seal(b *locked.Buffer) (*Enclave, error)                                    { return nil, nil }
func UseAll(fn func(secrets [][]byte) error, e ...*Enclave) error                { return nil }
func Purge() error                                                               { return nil }
func (e *Enclave) Use(fn func(secret []byte) error) error                        { return nil }
func (e *Enclave) Open() (*locked.Buffer, error)                                 { return nil, nil }
func (e *Enclave) Destroy()                                                      {}
func Get[T any](e *Enclave, fn func(secret []byte) (T, error)) (zero T, _ error) { return }
