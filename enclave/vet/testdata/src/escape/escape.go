package escape

import (
	"bytes"
	"sync"

	"github.com/memkeep/memkeep/enclave"
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

func destroyed(e *enclave.Enclave) ([]byte, error) {
	b, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer b.Destroy()
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
