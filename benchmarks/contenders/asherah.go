package contenders

import (
	"github.com/godaddy/asherah/go/securememory"
	"github.com/godaddy/asherah/go/securememory/memguard"
	"github.com/godaddy/asherah/go/securememory/protectedmemory"
)

// Asherah encrypts nothing: each secret has a locked page of its own, which
// WithBytes makes readable for the time of a call.
func asherah() []*Contender {
	backend := func(name, about string, factory securememory.SecretFactory) *Contender {
		return &Contender{
			Name:     "asherah/" + name,
			About:    about,
			Module:   "github.com/godaddy/asherah/go/securememory",
			Ways:     []Way{Use},
			Promises: Promises{ReadOnly: true, Locks: LocksSecrets, After: map[Way]AfterClose{Use: Faults}},
			Start:    func() (Store, error) { return asherahStore{factory}, nil },
		}
	}
	return []*Contender{
		backend("memguard", "securememory's backend on memguard's buffers: New, WithBytes, Close", new(memguard.SecretFactory)),
		backend("protected", "securememory's own backend, protectedmemory: New, WithBytes, Close", new(protectedmemory.SecretFactory)),
	}
}

type asherahStore struct{ factory securememory.SecretFactory }

func (s asherahStore) Worker(int) (Worker, error) { return asherahWorker(s), nil }
func (s asherahStore) Close() error               { return nil }

type asherahWorker struct{ factory securememory.SecretFactory }

func (w asherahWorker) Seal(secret []byte) (Secret, error) { return w.factory.New(secret) }
func (w asherahWorker) Free(s Secret) error                { return s.(securememory.Secret).Close() }

func (w asherahWorker) Use(s Secret, fn func([]byte) error) error {
	return s.(securememory.Secret).WithBytes(fn)
}

func (w asherahWorker) Open(s Secret, fn func([]byte) error) error { return w.Use(s, fn) }
func (w asherahWorker) Close() error                               { return nil }
