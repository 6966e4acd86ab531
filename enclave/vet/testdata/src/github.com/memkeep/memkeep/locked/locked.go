// Package locked has the signatures of the real one.
package locked

import (
	"context"
	"sync"
)

type Buffer struct {
	mu sync.Mutex
	b  []byte
}

func (b *Buffer) Bytes() []byte                         { return b.b }
func (b *Buffer) Alive() bool                           { return b != nil }
func (b *Buffer) Destroy() error                        { return nil }
func (b *Buffer) Melt() error                           { return nil }
func (b *Buffer) Scramble() error                       { return nil }
func (b *Buffer) Size() int                             { return len(b.b) }
func (b *Buffer) Use(fn func(b []byte) error) error     { return fn(b.b) }
func (b *Buffer) Consume(fn func(b []byte) error) error { return fn(b.b) }

type Pool struct{ mu sync.Mutex }

func (p *Pool) New(size int) (*Buffer, error) { return nil, nil }

func (p *Pool) NewFrozen(size int, fill func(b []byte) error) (*Buffer, error) { return nil, nil }

func (p *Pool) NewFrozenContext(ctx context.Context, size int, fill func(b []byte) error) (*Buffer, error) {
	return nil, nil
}

func (p *Pool) Use(ctx context.Context, size int, fill, fn func(b []byte) error) error { return nil }

func (p *Pool) UseAll(ctx context.Context, sizes []int, fill, fn func(b [][]byte) error) error {
	return nil
}

type Hardening struct{ NoCoreDumps bool }

func Harden(h Hardening) (taken Hardening, err error) { return }
