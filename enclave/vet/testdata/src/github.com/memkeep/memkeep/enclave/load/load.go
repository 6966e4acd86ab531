// Package load has the signatures of the real one.
package load

import (
	"context"
	"sync"
)

type Rotating struct{ mu sync.Mutex }

type RotatingConfig struct{ Check func(secret []byte) error }

func (r *Rotating) Use(fn func(secret []byte) error) error { return nil }

func (r *Rotating) UseContext(ctx context.Context, fn func(secret []byte) error) error { return nil }

func (r *Rotating) Reload(ctx context.Context) error { return nil }

func Get[T any](r *Rotating, fn func(secret []byte) (T, error)) (zero T, _ error) { return }

func GetContext[T any](ctx context.Context, r *Rotating, fn func(secret []byte) (T, error)) (zero T, _ error) {
	return
}
