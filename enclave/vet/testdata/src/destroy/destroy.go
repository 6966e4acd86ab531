package destroy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

func leaked(e *enclave.Enclave, quick bool) error {
	b, err := e.Open() // want `the buffer from Open is not destroyed on every path, and one returns at line 20: defer its Destroy`
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

type owner struct {
	b           *locked.Buffer
	err, failed error
}

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

func constructors(ctx context.Context, e *enclave.Enclave, p *locked.Pool) int {
	n := 0
	if b, err := e.OpenContext(ctx); err == nil { // want `the buffer from OpenContext is not destroyed`
		n += b.Size()
	}
	if b, err := enclave.ReadAll(bytes.NewReader(nil)); err == nil { // want `the buffer from ReadAll is not destroyed`
		n += b.Size()
	}
	if b, err := p.New(32); err == nil { // want `the buffer from New is not destroyed`
		n += b.Size()
	}
	if b, err := p.NewFrozen(32, nil); err == nil { // want `the buffer from NewFrozen is not destroyed`
		n += b.Size()
	}
	return n
}

func discarded(e *enclave.Enclave) error {
	_, err := e.Open() // want `the buffer from Open is discarded, and keeps its locked memory: destroy it`
	_, _ = e.Open()    // want `the buffer from Open is discarded`
	open := e.Open
	_, _ = open() // want `the buffer from Open is discarded`
	return err
}

func withoutItsError(e *enclave.Enclave) int {
	b, _ := e.Open()
	defer b.Destroy()
	leaked, _ := e.Open() // want `the buffer from Open is not destroyed on every path`
	return b.Size() + leaked.Size()
}

func inAClosure(e *enclave.Enclave) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { _ = b.Destroy() }()
	return b.Use(nil)
}

func consumed(e *enclave.Enclave) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	return b.Consume(func([]byte) error { return nil })
}

// Each round destroys its own buffer, and one does not.
func loops(list []*enclave.Enclave, quick bool) error {
	for _, e := range list {
		b, err := e.Open()
		if err != nil {
			return err
		}
		b.Destroy()
	}
	for _, e := range list {
		b, err := e.Open() // want `not destroyed on every path`
		if err != nil {
			return err
		}
		if quick {
			continue
		}
		b.Destroy()
	}
	return nil
}

// The error of a variable that a closure shares, of a field or of a package is an error
// like others.
func errorsElsewhere(e *enclave.Enclave, o *owner) (err error) {
	func() {
		var b *locked.Buffer
		if b, err = e.Open(); err == nil {
			err = b.Destroy()
		}
	}()
	var b *locked.Buffer
	if b, o.err = e.Open(); o.err == nil {
		o.err = b.Destroy()
	}
	if b, failed = e.Open(); failed != nil {
		return failed
	}
	if failed = b.Destroy(); failed != nil {
		return failed
	}
	if b, o.err = e.Open(); o.failed != nil { // want `not destroyed on every path`
		return o.failed
	}
	return b.Destroy()
}

var failed error

// An error that is assigned again is another one, also where a closure shares its variable.
func anotherError(e *enclave.Enclave) (err error) {
	defer func() { err = annotate(err) }()
	b, err := e.Open() // want `not destroyed on every path`
	if err != nil {
		return err
	}
	if err = b.Melt(); err != nil {
		return err
	}
	return b.Destroy()
}

func sameError(e *enclave.Enclave) (err error) {
	defer func() { err = annotate(err) }()
	b, err := e.Open()
	if err = annotate(err); err != nil {
		return err
	}
	return b.Destroy()
}

func annotate(err error) error { return err }

func joined(e *enclave.Enclave, other error) error {
	b, err := e.Open()
	if err = errors.Join(other, err); err != nil {
		return err
	}
	if err = b.Melt(); err != nil {
		return errors.Join(err, b.Destroy())
	}
	return b.Destroy()
}

func collected(list []*enclave.Enclave) error {
	errs := make([]error, len(list))
	var group sync.WaitGroup
	for i, e := range list {
		group.Go(func() {
			var b *locked.Buffer
			if b, errs[i] = e.Open(); errs[i] == nil {
				errs[i] = b.Destroy()
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func ofAnother(e *enclave.Enclave, errs []error, i, other int) error {
	b, err := e.Open() // want `not destroyed on every path`
	if errs[i] = err; errs[other] != nil {
		return errs[other]
	}
	return b.Destroy()
}

// A closure that assigns a buffer again destroys the one before.
func reopened(e *enclave.Enclave, rounds int) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { b.Destroy() }()
	reopen := func() (err error) {
		if err = b.Destroy(); err == nil {
			b, err = e.Open()
		}
		return err
	}
	for range rounds {
		if err := reopen(); err != nil {
			return err
		}
	}
	return b.Use(nil)
}

func methodValues(e *enclave.Enclave) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	destroy, size := b.Destroy, b.Size
	defer destroy()
	_ = size()
	return nil
}

// Functions of the package that return a buffer they have opened count as Open.
func open(e *enclave.Enclave) (*locked.Buffer, error) { return e.Open() }

func openMutable(e *enclave.Enclave) (*locked.Buffer, error) {
	b, err := open(e)
	if err != nil {
		return nil, err
	}
	if err := b.Melt(); err != nil {
		return nil, errors.Join(err, b.Destroy())
	}
	return b, nil
}

func mustOpen(e *enclave.Enclave) *locked.Buffer {
	b, err := e.Open()
	if err != nil {
		panic(err)
	}
	return b
}

func openAny(e *enclave.Enclave) (*locked.Buffer, error) {
	if e == nil {
		return nil, nil
	}
	return openMutable(e)
}

func ofAny(e *enclave.Enclave) error {
	b, err := openAny(e)
	if err != nil || b == nil {
		return err
	}
	return b.Destroy()
}

func ofHelpers(e *enclave.Enclave, quick bool) error {
	_, err := open(e)        // want `the buffer from open is discarded`
	_, _ = openMutable(e)    // want `the buffer from openMutable is discarded`
	open(e)                  // want `the buffer from open is discarded`
	mustOpen(e)              // want `the buffer from mustOpen is discarded`
	b, err := openMutable(e) // want `the buffer from openMutable is not destroyed on every path`
	if err != nil {
		return err
	}
	if quick {
		return nil
	}
	defer mustOpen(e).Destroy()
	return b.Destroy()
}

// The buffers of these have another owner, or come with what is no error.
func (o *owner) buffer(e *enclave.Enclave) (b *locked.Buffer, err error) {
	if o.b == nil {
		o.b, err = e.Open()
	}
	return o.b, err
}

func (o *owner) open(e *enclave.Enclave) (*locked.Buffer, error) {
	b, err := e.Open()
	if err == nil {
		o.b = b
	}
	return b, err
}

func openIfPresent(e *enclave.Enclave) (*locked.Buffer, bool) {
	b, err := e.Open()
	return b, err == nil
}

func openUntil(e *enclave.Enclave, cleanup func(func())) *locked.Buffer {
	b, err := e.Open()
	if err != nil {
		panic(err)
	}
	cleanup(func() { b.Destroy() })
	return b
}

func first(list ...*locked.Buffer) *locked.Buffer { return list[0] }

func ofOwners(e *enclave.Enclave, o *owner, cleanup func(func())) error {
	_, err := o.buffer(e)
	_, err = o.open(e)
	openUntil(e, cleanup)
	first(o.b)
	b, ok := openIfPresent(e)
	if !ok {
		return err
	}
	return b.Destroy()
}
