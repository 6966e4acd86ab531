package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
)

// fill loads and makes the keys that the options ask for, and returns how many
// lines were refused.
func fill(ctx context.Context, o options, v *vault, stdin io.Reader, stderr *os.File) (refused int, err error) {
	if o.load != "" {
		refused, err = loadLines(ctx, o.load, v, stdin, stderr)
		if err != nil {
			return refused, fmt.Errorf("loading keys: %w", err)
		}
	}
	if o.keys > 0 {
		if err := generate(ctx, o.keys, v, stderr); err != nil {
			return refused, fmt.Errorf("making keys: %w", err)
		}
	}
	return refused, nil
}

// loadLines reads keys from a file, straight into locked memory.
func loadLines(ctx context.Context, path string, v *vault, stdin io.Reader, stderr *os.File) (refused int, err error) {
	src := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		defer file.Close()
		src = file
	}
	bar := newProgress(stderr, -1, "loading keys")
	defer bar.finish()

	type outcome struct {
		refused int
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.err = v.desk.Use(ctx, func(text, key []byte) error {
			_, err := v.ring.Load(ctx, intake.NewLines(src, text), key, bar.add, func(r keyring.Refusal) {
				o.refused++
				bar.say(fmt.Sprintf("line %d refused: %v", r.Line, r.Err))
			})
			return err
		})
		done <- o
	}()
	select {
	case o := <-done:
		return o.refused, o.err
	case <-ctx.Done():
		// A read of a pipe or a terminal may never return, and nothing can
		// interrupt it. The process ends now, and the reader with it.
		return 0, context.Cause(ctx)
	}
}

// generate makes count keys, of both types in turn.
func generate(ctx context.Context, count int, v *vault, stderr *os.File) error {
	bar := newProgress(stderr, count, "making keys")
	defer bar.finish()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				if err := generateOne(ctx, v, i); err != nil {
					cancel(err)
					return
				}
				bar.add()
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

func generateOne(ctx context.Context, v *vault, i int) error {
	t := keyring.Ed25519
	if i%2 == 1 {
		t = keyring.HMACSHA256
	}
	name := fmt.Sprintf("key-%06d", i)
	err := v.desk.Use(ctx, func(_, room []byte) error {
		_, err := v.ring.Create(ctx, intake.Record{Name: name, Type: string(t)}, room)
		return err
	})
	if errors.Is(err, keyring.ErrExists) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}
