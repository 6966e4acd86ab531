// Package core has the signatures of the real one.
package core

import "sync"

type Buffer struct {
	sync.RWMutex
	b []byte
}

func Open(*Enclave) (*Buffer, error) { return nil, nil }
func (b *Buffer) Data() []byte       { return b.b }
func (b *Buffer) Inner() []byte      { return b.b }
func (b *Buffer) Destroy()           {}

type Enclave struct{}
