package contenders

import (
	"github.com/memkeep/memkeep/locked"
)

// lockedBudget lets the pool of plain locked buffers have what it can get: it
// is cut to what the process may lock.
const lockedBudget = 8 << 30

// NeverEncrypted names the store that keeps every secret open.
const NeverEncrypted = "never encrypted"

func lockedBuffer() *Contender {
	return &Contender{
		Name:     NeverEncrypted,
		About:    "a locked.Buffer for each secret, frozen and always open, never closed; the pool's budget is whatever the process may lock",
		Module:   "github.com/memkeep/memkeep",
		Ways:     []Way{Use},
		Promises: Promises{ReadOnly: true, Locks: LocksSecrets},
		Start: func() (Store, error) {
			p, err := locked.NewPool(locked.Config{LockedBytes: lockedBudget})
			if err != nil {
				return nil, err
			}
			return &lockedStore{p}, nil
		},
	}
}

type lockedStore struct{ pool *locked.Pool }

func (s *lockedStore) Worker(int) (Worker, error) { return lockedWorker{s.pool}, nil }
func (s *lockedStore) Purge() error               { return s.pool.Purge() }
func (s *lockedStore) Close() error               { return s.pool.Close() }

type lockedWorker struct{ pool *locked.Pool }

func (w lockedWorker) Seal(secret []byte) (Secret, error) {
	b, err := w.pool.NewFrozen(len(secret), func(dst []byte) error {
		copy(dst, secret)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (w lockedWorker) Free(s Secret) error { return s.(*locked.Buffer).Destroy() }

func (w lockedWorker) Use(s Secret, fn func([]byte) error) error {
	b := s.(*locked.Buffer).Bytes()
	if b == nil {
		return locked.ErrDestroyed
	}
	return fn(b)
}

func (w lockedWorker) Open(s Secret, fn func([]byte) error) error { return w.Use(s, fn) }
func (w lockedWorker) Close() error                               { return nil }
