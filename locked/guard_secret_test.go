//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package locked_test

import (
	"context"
	"fmt"
	"runtime/secret"
	"testing"

	"github.com/memkeep/memkeep/locked"
)

// uses returns the calls that lend bytes to a function.
func uses(p *locked.Pool, b *locked.Buffer) map[string]func(ctx context.Context, fn func()) error {
	return map[string]func(context.Context, func()) error{
		"Pool.Use": func(ctx context.Context, fn func()) error {
			return p.Use(ctx, 32, func([]byte) error { return nil }, func([]byte) error { fn(); return nil })
		},
		"Pool.UseAll": func(ctx context.Context, fn func()) error {
			return p.UseAll(ctx, []int{16, 16}, func([][]byte) error { return nil }, func([][]byte) error { fn(); return nil })
		},
		"Buffer.Use": func(_ context.Context, fn func()) error {
			return b.Use(func([]byte) error { fn(); return nil })
		},
	}
}

func TestFunctionsRunInsideSecretDoUnlessThePoolOrTheCallSaysOtherwise(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			p := newPool(t, locked.Config{NoRuntimeSecret: off})
			b := newBuffer(t, p, 32)
			defer destroy(t, b)
			for name, use := range uses(p, b) {
				for _, call := range []struct {
					ctx  context.Context
					want bool
				}{
					{t.Context(), !off},
					{locked.WithoutRuntimeSecret(t.Context()), !off && name == "Buffer.Use"},
				} {
					inside := !call.want
					if err := use(call.ctx, func() { inside = secret.Enabled() }); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if inside != call.want {
						t.Errorf("%s of %v: inside secret.Do: %v", name, call.ctx, inside)
					}
				}
			}
		})
	}
}
