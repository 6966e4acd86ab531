package destroy

import (
	"errors"
	"os"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

func leaked(e *enclave.Enclave, quick bool) error {
	b, err := e.Open() // want `the buffer from Open is not destroyed on every path: one returns at line 17`
	if err != nil {
		return err
	}
	if quick {
		return nil
	}
	return b.Destroy()
}

func used(e *enclave.Enclave) error {
	b, err := e.Open() // want `not destroyed on every path`
	if err != nil {
		return err
	}
	return b.Use(func([]byte) error { return nil })
}

func deferred(e *enclave.Enclave) (int, error) {
	b, err := e.Open()
	if err != nil {
		return 0, err
	}
	defer b.Destroy()
	return b.Size(), nil
}

func errorFirst(e *enclave.Enclave) error {
	b, err := e.Open()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = b.Destroy()
	}
	return err
}

// Where the second condition is false the first one was true.
func correlated(e *enclave.Enclave) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	if err = b.Use(nil); err == nil {
		err = b.Destroy()
	}
	if err != nil {
		os.Exit(1)
	}
	return nil
}

type owner struct{ b *locked.Buffer }

func passedOn(e *enclave.Enclave, o *owner, list []*locked.Buffer) (*locked.Buffer, *enclave.Enclave, error) {
	stored, err := enclave.NewBuffer(32)
	if err != nil {
		return nil, nil, err
	}
	o.b = stored
	given, err := e.Open()
	if err != nil {
		return nil, nil, err
	}
	take(given)
	sealed, err := e.Open()
	if err != nil {
		return nil, nil, err
	}
	e, err = enclave.Seal(sealed)
	if err != nil {
		return nil, nil, err
	}
	returned, err := e.Open()
	return returned, e, err
}

func take(*locked.Buffer) {}

func atTheEnd(e *enclave.Enclave) (int, error) {
	defer enclave.Purge()
	b, err := e.Open()
	if err != nil {
		return 0, err
	}
	return b.Size(), nil
}
