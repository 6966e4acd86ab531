// Package locked has the signatures of the real one.
package locked

type Buffer struct{ b []byte }

func (b *Buffer) Bytes() []byte                     { return b.b }
func (b *Buffer) Destroy() error                    { return nil }
func (b *Buffer) Size() int                         { return len(b.b) }
func (b *Buffer) Use(fn func(b []byte) error) error { return fn(b.b) }
