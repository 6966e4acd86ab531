// Package bearer has the signatures of the real one.
package bearer

import "context"

type Token interface {
	UseContext(ctx context.Context, fn func(secret []byte) error) error
}
