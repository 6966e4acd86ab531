package escape

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

type token []byte

type holder struct{ key []byte }

var global []byte

func variables(e *enclave.Enclave, h *holder, kept map[string][]byte, out chan []byte) error {
	var outer, alias, trimmed, named []byte
	var all [][]byte
	return e.Use(func(secret []byte) error {
		global = secret // want `is stored in a package's variable`
		outer = secret  // want `the secret from Use is stored in a variable outside the function, but it is locked only until the function returns`
		part := secret[:4]
		alias = part                      // want `is stored in a variable outside`
		trimmed = bytes.TrimSpace(secret) // want `is stored in a variable outside`
		named = []byte(token(secret))     // want `is stored in a variable outside`
		h.key = secret                    // want `is stored in a variable outside`
		kept["key"] = secret              // want `is stored in a variable outside`
		all = append(all, secret)         // want `is stored in a variable outside`
		out <- secret                     // want `is sent on a channel`
		select {                          // want `is sent on a channel`
		case out <- secret:
		default:
		}
		_, _, _, _, _ = outer, alias, trimmed, named, all
		return nil
	})
}

func results(e *enclave.Enclave) {
	_, _ = enclave.Get(e, func(secret []byte) ([]byte, error) {
		return secret, nil // want `the secret from Get is returned`
	})
	_, _ = enclave.Get(e, func(secret []byte) (holder, error) {
		h := holder{key: secret}
		return h, nil // want `is returned`
	})
	_, _ = enclave.Get(e, func(secret []byte) (int, error) {
		return len(secret), nil
	})
	_, _ = enclave.Get(e, named)
}

func named(secret []byte) (func() byte, error) {
	return func() byte { return secret[0] }, nil // want `is returned`
}

func fill() (*enclave.Enclave, error) {
	return enclave.NewFunc(32, func(dst []byte) error {
		global = dst // want `the secret from NewFunc is stored in a package's variable`
		return nil
	})
}

func several(a, b *enclave.Enclave) error {
	return enclave.UseAll(func(secrets [][]byte) error {
		global = secrets[1] // want `the secret from UseAll is stored in a package's variable`
		return nil
	}, a, b)
}

func goroutines(e *enclave.Enclave) error {
	if err := e.Use(func(secret []byte) error {
		go func() { _ = secret[0] }() // want `is handed to a goroutine that nothing here waits for`
		go consume(secret)            // want `is handed to a goroutine`
		return nil
	}); err != nil {
		return err
	}
	return e.Use(func(secret []byte) error {
		var group sync.WaitGroup
		group.Add(1)
		go func() { defer group.Done(); consume(secret) }()
		group.Wait()
		return nil
	})
}

func consume([]byte) {}

func destroyed(e *enclave.Enclave, public []byte) ([]byte, error) {
	b, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer b.Destroy()
	if public != nil {
		return public, nil
	}
	return b.Bytes(), nil // want `the secret from Bytes is returned, but the deferred Destroy unmaps it`
}

// What stays inside is nobody's business.
func inside(a, b *enclave.Enclave) error {
	first, count := byte(0), 0
	return a.Use(func(outer []byte) error {
		var longer []byte
		local := holder{key: outer}
		lists := map[string][]byte{"key": outer}
		err := b.Use(func(inner []byte) error {
			longer = outer
			first, count = inner[0], len(inner)
			consume(inner)
			return nil
		})
		_, _, _, _, _ = longer, local, lists, first, count
		return err
	})
}

// A method value is a callback like others, and its receiver no secret.
type keeper [][]byte

func (k keeper) keep(secret []byte) error {
	k[0] = secret // want `the secret from Use is stored in k`
	return nil
}

func (k keeper) read(secret []byte) error {
	global = k[0]
	return nil
}

func generic[T any](secret []byte) (zero T, _ error) {
	global = secret // want `the secret from Get is stored in a package's variable`
	return
}

func instance(e *enclave.Enclave) {
	_, _ = enclave.Get(e, generic[int])
}

func methods(e *enclave.Enclave, k keeper) error {
	if err := e.Use(k.keep); err != nil {
		return err
	}
	return e.Use(k.read)
}

func closures(ctx context.Context, e *enclave.Enclave) error {
	var later func()
	_ = later
	return e.Use(func(secret []byte) error {
		var group sync.WaitGroup
		later = func() { consume(secret) }                      // want `is stored in a variable outside the function`
		time.AfterFunc(time.Second, func() { consume(secret) }) // want `is handed to a goroutine`
		context.AfterFunc(ctx, func() { consume(secret) })      // want `is handed to a goroutine`
		group.Go(func() { consume(secret) })                    // want `is handed to a goroutine that nothing here waits for`
		defer func() { consume(secret) }()
		return nil
	})
}

func waited(e *enclave.Enclave) error {
	return e.Use(func(secret []byte) error {
		var group sync.WaitGroup
		defer group.Wait()
		group.Go(func() { consume(secret) })
		return nil
	})
}

func waitedInALiteral(e *enclave.Enclave) error {
	return e.Use(func(secret []byte) error {
		var group sync.WaitGroup
		defer func() { group.Wait() }()
		group.Go(func() { consume(secret) })
		return nil
	})
}

// A channel that the function makes reaches the goroutines that it waits for.
func workers(e *enclave.Enclave) error {
	return e.Use(func(secret []byte) error {
		var group sync.WaitGroup
		parts := make(chan []byte)
		group.Go(func() {
			for part := range parts {
				consume(part)
			}
		})
		parts <- secret[:4]
		parts <- secret[4:]
		close(parts)
		group.Wait()
		return nil
	})
}

func nobodyWaits(e *enclave.Enclave) error {
	return e.Use(func(secret []byte) error {
		parts := make(chan []byte)
		go func() { consume(<-parts) }()
		parts <- secret // want `is sent on a channel`
		return nil
	})
}

func destroyedByALiteral(e *enclave.Enclave, h *holder) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { _ = b.Destroy() }()
	h.key = b.Bytes() // want `the secret from Bytes is stored in h, but the deferred Destroy unmaps it: pass on the buffer instead`
	return nil
}

func destroyedBefore(e *enclave.Enclave, quick bool) ([]byte, error) {
	b, err := e.Open()
	if err != nil {
		return nil, err
	}
	secret := b.Bytes()
	if quick {
		if err := b.Destroy(); err != nil {
			return nil, err
		}
		return secret, nil // want `the secret from Bytes is returned, but Destroy has unmapped it: pass on the buffer instead`
	}
	return secret, nil
}

// What is destroyed in the end is the other buffer.
func reassigned(e, other *enclave.Enclave, h *holder) (err error) {
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { _ = b.Destroy() }()
	h.key = b.Bytes()
	b, err = other.Open()
	return err
}

// So it is if a closure assigns it again, or if a function may.
func reassignedByAClosure(e, other *enclave.Enclave, h *holder) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { _ = b.Destroy() }()
	swap := func() (err error) {
		b, err = other.Open()
		return err
	}
	h.key = b.Bytes()
	return swap()
}

func reassignedByAFunction(e *enclave.Enclave, h *holder) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { _ = b.Destroy() }()
	h.key = b.Bytes()
	renew(&b)
	return nil
}

func renew(**locked.Buffer) {}

func readByAClosure(e *enclave.Enclave, h *holder) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { _ = b.Destroy() }()
	size := func() int { return b.Size() }
	h.key = b.Bytes()[:size()] // want `the secret from Bytes is stored in h, but the deferred Destroy unmaps it`
	return nil
}

// A buffer that is destroyed only after a failure lives on otherwise.
func destroyedOnFailure(e *enclave.Enclave, check func([]byte) error) (h *holder, err error) {
	b, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = b.Destroy()
		}
	}()
	h = &holder{key: b.Bytes()}
	return h, check(h.key)
}

func destroyedIfAlive(e *enclave.Enclave, h *holder) ([]byte, error) {
	var b, other *locked.Buffer
	defer func() {
		if b != nil {
			_ = b.Destroy()
		}
	}()
	b, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer func() {
		if other.Alive() {
			_ = other.Destroy()
		}
	}()
	if other, err = e.Open(); err != nil {
		return nil, err
	}
	h.key = other.Bytes() // want `the secret from Bytes is stored in h, but the deferred Destroy unmaps it`
	return b.Bytes(), nil // want `the secret from Bytes is returned, but the deferred Destroy unmaps it`
}

// The one that passes the buffer on takes it away from the deferred function.
func destroyedUnlessPassedOn(e *enclave.Enclave, check func([]byte) error) (*owner, error) {
	b, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer func() {
		if b != nil {
			_ = b.Destroy()
		}
	}()
	o := &owner{b, b.Bytes()}
	if err := check(o.key); err != nil {
		return nil, err
	}
	b = nil
	return o, nil
}

type owner struct {
	b   *locked.Buffer
	key []byte
}

func destroyedByAMethodValue(e *enclave.Enclave, h *holder) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	view, destroy := b.Bytes, b.Destroy
	defer destroy()
	h.key = view() // want `the secret from Bytes is stored in h, but the deferred Destroy unmaps it`
	return nil
}

// One buffer lives on while the other one is destroyed.
func ofAnother(e *enclave.Enclave, h *holder) error {
	kept, err := e.Open()
	if err != nil {
		return err
	}
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { _ = b.Destroy() }()
	h.key = kept.Bytes()
	return nil
}
