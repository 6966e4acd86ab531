// Package api takes a secret from everything in the API that hands one out.
package api

import (
	"context"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/bearer"
	"github.com/memkeep/memkeep/enclave/keys/scram"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
	"github.com/memkeep/memkeep/locked"
)

var global []byte

func inEnclave(ctx context.Context, s *enclave.Session, e *enclave.Enclave, t enclave.Text) {
	_ = e.UseContext(ctx, func(secret []byte) error { global = secret; return nil })                    // want `the secret from UseContext is stored`
	_ = t.Use(func(secret []byte) error { global = secret; return nil })                                // want `the secret from Use is stored`
	_ = enclave.UseAllContext(ctx, func(secrets [][]byte) error { global = secrets[0]; return nil }, e) // want `the secret from UseAllContext is stored`
	_, _ = enclave.GetContext(ctx, e, func(secret []byte) ([]byte, error) { return secret, nil })       // want `the secret from GetContext is returned`
	_, _ = s.NewFunc(32, func(dst []byte) error { global = dst; return nil })                           // want `the secret from NewFunc is stored`
	_, _ = s.NewFuncContext(ctx, 32, func(dst []byte) error { global = dst; return nil })               // want `the secret from NewFuncContext is stored`
	_ = e.Use(func(secret []byte) error { _ = append(global, secret...); return nil })
}

func inLocked(ctx context.Context, p *locked.Pool, b *locked.Buffer) {
	keep := func(b []byte) error { global = b; return nil }                             // want `is stored in a package's variable`
	keepAll := func(b [][]byte) error { global = b[0]; return nil }                     // want `the secret from UseAll is stored`
	_ = b.Use(func(b []byte) error { global = b; return nil })                          // want `the secret from Use is stored`
	_ = b.Consume(func(b []byte) error { global = b; return nil })                      // want `the secret from Consume is stored`
	_, _ = p.NewFrozen(32, func(b []byte) error { global = b; return nil })             // want `the secret from NewFrozen is stored`
	_, _ = p.NewFrozenContext(ctx, 32, func(b []byte) error { global = b; return nil }) // want `the secret from NewFrozenContext is stored`
	_ = p.Use(ctx, 32, func(b []byte) error { return nil }, keep)
	_ = p.UseAll(ctx, []int{32}, keepAll, func(b [][]byte) error { return nil })
}

func inLoad(ctx context.Context, r *load.Rotating, token bearer.Token, password scram.Password) load.RotatingConfig {
	_ = r.Use(func(secret []byte) error { global = secret; return nil })                         // want `the secret from Use is stored`
	_ = r.UseContext(ctx, func(secret []byte) error { global = secret; return nil })             // want `the secret from UseContext is stored`
	_, _ = load.Get(r, func(secret []byte) ([]byte, error) { return secret, nil })               // want `the secret from Get is returned`
	_, _ = load.GetContext(ctx, r, func(secret []byte) ([]byte, error) { return secret, nil })   // want `the secret from GetContext is returned`
	_ = token.UseContext(ctx, func(secret []byte) error { global = secret; return nil })         // want `the secret from UseContext is stored`
	_ = password.UseContext(ctx, func(secret []byte) error { global = secret; return nil })      // want `the secret from UseContext is stored`
	return load.RotatingConfig{Check: func(secret []byte) error { global = secret; return nil }} // want `the secret from Check is stored`
}

func inDropIn(b *memguard.LockedBuffer, c *core.Buffer) (any, []byte, []byte, *[32]byte, []uint64) {
	defer b.Destroy()
	defer c.Destroy()
	if b.ByteArray32() == nil {
		return nil, c.Data(), nil, nil, nil // want `the secret from Data is returned`
	}
	if b.Uint64() == nil {
		return b.Reader(), nil, nil, nil, nil // want `the secret from Reader is returned`
	}
	if b.Bytes() == nil {
		return nil, nil, c.Inner(), nil, nil // want `the secret from Inner is returned`
	}
	if b.String() == "" {
		return nil, nil, nil, b.ByteArray32(), nil // want `the secret from ByteArray32 is returned`
	}
	return nil, nil, nil, nil, b.Uint64() // want `the secret from Uint64 is returned`
}
