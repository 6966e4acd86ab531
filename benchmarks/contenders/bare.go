package contenders

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"
)

// The floors: the cipher alone, from golang.org/x/crypto, with its key and the
// plaintext in ordinary memory. Nonces are made as memkeep makes them, from a
// counter of 8 bytes that is stored with the ciphertext and a prefix of 16
// that is not, so that no floor pays for random numbers that memkeep saves.
// Each worker decrypts into a buffer that it keeps.

func bareKept() *Contender {
	return &Contender{
		Name:     Bare,
		About:    "chacha20poly1305.NewX, made once and kept; nothing is locked or wiped",
		Module:   "golang.org/x/crypto",
		Ways:     []Way{Use},
		Promises: Promises{Encrypted: true},
		Start:    func() (Store, error) { return newBareStore(true) },
	}
}

func bareEach() *Contender {
	return &Contender{
		Name:     "bare/each",
		About:    "chacha20poly1305.NewX, made for each operation; nothing is locked or wiped",
		Module:   "golang.org/x/crypto",
		Ways:     []Way{Use},
		Promises: Promises{Encrypted: true},
		Start:    func() (Store, error) { return newBareStore(false) },
	}
}

const (
	bareCounter  = 8
	bareOverhead = bareCounter + chacha20poly1305.Overhead
)

type bareStore struct {
	key     [chacha20poly1305.KeySize]byte
	prefix  [chacha20poly1305.NonceSizeX - bareCounter]byte
	counter atomic.Uint64
	kept    cipher.AEAD // nil if one is made for each operation
}

// A bareSecret is the counter and the ciphertext.
type bareSecret struct{ sealed []byte }

func newBareStore(keep bool) (*bareStore, error) {
	s := new(bareStore)
	// crypto/rand.Read fills its argument or ends the program.
	_, _ = rand.Read(s.key[:])
	_, _ = rand.Read(s.prefix[:])
	if !keep {
		return s, nil
	}
	var err error
	s.kept, err = chacha20poly1305.NewX(s.key[:])
	return s, err
}

func (s *bareStore) aead() (cipher.AEAD, error) {
	if s.kept != nil {
		return s.kept, nil
	}
	return chacha20poly1305.NewX(s.key[:])
}

func (s *bareStore) Ciphertext(secret Secret) []byte { return secret.(*bareSecret).sealed }
func (s *bareStore) Close() error                    { return nil }

func (s *bareStore) Worker(maxSize int) (Worker, error) {
	w := &bareWorker{store: s, plaintext: make([]byte, 0, maxSize)}
	copy(w.nonce[bareCounter:], s.prefix[:])
	return w, nil
}

type bareWorker struct {
	store     *bareStore
	nonce     [chacha20poly1305.NonceSizeX]byte
	plaintext []byte
}

func (w *bareWorker) Seal(secret []byte) (Secret, error) {
	aead, err := w.store.aead()
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint64(w.nonce[:], w.store.counter.Add(1))
	sealed := append(make([]byte, 0, bareOverhead+len(secret)), w.nonce[:bareCounter]...)
	return &bareSecret{aead.Seal(sealed, w.nonce[:], secret, nil)}, nil
}

func (w *bareWorker) Free(Secret) error { return nil }

func (w *bareWorker) Use(s Secret, fn func([]byte) error) error {
	sealed := s.(*bareSecret).sealed
	aead, err := w.store.aead()
	if err != nil {
		return err
	}
	copy(w.nonce[:bareCounter], sealed)
	opened, err := aead.Open(w.plaintext, w.nonce[:], sealed[bareCounter:], nil)
	if err != nil {
		return err
	}
	return fn(opened)
}

func (w *bareWorker) Open(s Secret, fn func([]byte) error) error { return w.Use(s, fn) }
func (w *bareWorker) Close() error                               { return nil }
