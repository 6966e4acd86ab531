package contenders

import (
	"github.com/memkeep/memkeep/enclave/memguard"
)

func facade() *Contender {
	return &Contender{
		Name:     "memkeep/memguard",
		About:    "memkeep through its drop-in for memguard: NewEnclave, Enclave.Open with LockedBuffer.Destroy",
		Module:   "github.com/memkeep/memkeep",
		Ways:     []Way{Open},
		Promises: Promises{Encrypted: true, ReadOnly: true, After: map[Way]AfterClose{Open: Faults}},
		Start:    func() (Store, error) { return facadeStore{}, nil },
	}
}

// The drop-in has one session for the process, like memguard. Failures of both
// are panics: they end the child process, which is reported with what it printed.
type facadeStore struct{}

func (facadeStore) Worker(int) (Worker, error) { return facadeWorker{}, nil }
func (facadeStore) Purge() error               { memguard.Purge(); return nil }
func (facadeStore) Close() error               { memguard.Purge(); return nil }

type facadeWorker struct{}

func (facadeWorker) Seal(secret []byte) (Secret, error) { return memguard.NewEnclave(secret), nil }
func (facadeWorker) Free(Secret) error                  { return nil }

func (w facadeWorker) Use(s Secret, fn func([]byte) error) error { return w.Open(s, fn) }

func (facadeWorker) Open(s Secret, fn func([]byte) error) error {
	b, err := s.(*memguard.Enclave).Open()
	if err != nil {
		return err
	}
	err = fn(b.Bytes())
	b.Destroy()
	return err
}

func (facadeWorker) Close() error { return nil }
