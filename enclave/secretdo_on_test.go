//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package enclave_test

import (
	"context"
	"fmt"
	"runtime/secret"
	"testing"

	"github.com/memkeep/memkeep/enclave"
)

// inside reports whether use runs its function inside secret.Do. It fails if that
// outlasts the call.
func inside(t *testing.T, use func(func([]byte) error) error) bool {
	t.Helper()
	ran, inside := false, false
	err := use(func([]byte) error {
		ran, inside = true, secret.Enabled()
		return nil
	})
	if err != nil || !ran {
		t.Errorf("%v, the function ran: %v", err, ran)
	}
	if secret.Enabled() {
		t.Error("still inside secret.Do after the call")
	}
	return inside
}

func TestFunctionRunsInsideSecretDo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, use func(func([]byte) error) error) {
		if !inside(t, use) {
			t.Error("outside of secret.Do")
		}
	})
}

func TestSessionWithoutRuntimeSecretRunsNoFunctionInsideSecretDo(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			s := newSession(t, enclave.Config{NoRuntimeSecret: off})
			e := newEnclave(t, s, secretOf(32))
			b, err := e.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer b.Destroy()
			for name, use := range map[string]func(func([]byte) error) error{
				"Use":        e.Use,
				"UseAll":     func(fn func([]byte) error) error { return enclave.UseAll(first(fn), e) },
				"Buffer.Use": b.Use,
			} {
				if got := inside(t, use); got != !off {
					t.Errorf("%s: inside secret.Do: %v", name, got)
				}
			}
			if got := s.Stats().RuntimeSecret; got != !off {
				t.Errorf("Stats.RuntimeSecret is %v", got)
			}
		})
	}
}

func TestCallWithoutRuntimeSecretRunsItsFunctionOutsideOfSecretDo(t *testing.T) {
	t.Parallel()
	e := newEnclave(t, newSession(t, enclave.Config{}), secretOf(32))
	off, cancel := context.WithCancel(enclave.WithoutRuntimeSecret(t.Context()))
	defer cancel()
	for name, use := range map[string]func(context.Context, func([]byte) error) error{
		"UseContext": e.UseContext,
		"UseAllContext": func(ctx context.Context, fn func([]byte) error) error {
			return enclave.UseAllContext(ctx, first(fn), e)
		},
		"GetContext": func(ctx context.Context, fn func([]byte) error) error {
			_, err := enclave.GetContext(ctx, e, func(secret []byte) (int, error) { return 0, fn(secret) })
			return err
		},
	} {
		if inside(t, func(fn func([]byte) error) error { return use(off, fn) }) {
			t.Errorf("%s: inside secret.Do", name)
		}
		if !inside(t, func(fn func([]byte) error) error { return use(t.Context(), fn) }) {
			t.Errorf("%s: the next call is outside of secret.Do", name)
		}
	}
}

func TestFunctionThatFillsAnEnclaveRunsOutsideOfSecretDo(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	if inside(t, func(fn func([]byte) error) error { _, err := s.NewFunc(32, fn); return err }) {
		t.Error("inside secret.Do")
	}
}
