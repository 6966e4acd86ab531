// Package scram has the signatures of the real one.
package scram

import "context"

type Password interface {
	UseContext(ctx context.Context, fn func(secret []byte) error) error
}
