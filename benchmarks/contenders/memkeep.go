package contenders

import (
	"context"
	"unsafe"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/enclave"
)

func memkeep() *Contender {
	return &Contender{
		Name:     Memkeep,
		About:    "enclave.New, Enclave.Use, Enclave.OpenContext (which waits at the budget) with Buffer.Destroy, in a session with the default configuration",
		Module:   "github.com/memkeep/memkeep",
		Ways:     []Way{Use, Open},
		Promises: Promises{Encrypted: true, ReadOnly: true, After: map[Way]AfterClose{Use: Gone, Open: Faults}},
		Start: func() (Store, error) {
			s, err := enclave.NewSession(enclave.Config{})
			if err != nil {
				return nil, err
			}
			return &memkeepStore{s}, nil
		},
	}
}

type memkeepStore struct{ *enclave.Session }

func (s *memkeepStore) Worker(int) (Worker, error) { return &memkeepWorker{s.Session}, nil }

// Backend names the mechanism of the locked pages, for the environment.
func (s *memkeepStore) Backend() string { return string(s.Stats().Backend) }

// Ciphertext reaches what has no door: the bytes behind an enclave's struct, in
// the same allocation. Were they elsewhere, a changed one would still open, and
// the check would say so.
func (s *memkeepStore) Ciphertext(secret Secret) []byte {
	e := secret.(*enclave.Enclave)
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(e), unsafe.Sizeof(*e))), e.Size()+coffer.Overhead)
}

type memkeepWorker struct{ session *enclave.Session }

func (w *memkeepWorker) Seal(secret []byte) (Secret, error) {
	e, err := w.session.New(secret)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Free leaves the enclave to the garbage collector, as most programs do.
func (w *memkeepWorker) Free(Secret) error { return nil }

func (w *memkeepWorker) Use(s Secret, fn func([]byte) error) error {
	return s.(*enclave.Enclave).Use(fn)
}

func (w *memkeepWorker) Open(s Secret, fn func([]byte) error) error {
	b, err := s.(*enclave.Enclave).OpenContext(context.Background())
	if err != nil {
		return err
	}
	if err := fn(b.Bytes()); err != nil {
		_ = b.Destroy() // fn's error is the one that counts
		return err
	}
	return b.Destroy()
}

func (w *memkeepWorker) Close() error { return nil }
