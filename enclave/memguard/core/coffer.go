package core

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/redact"
)

// ErrCofferExpired reports that the coffer is destroyed.
var ErrCofferExpired = errors.New("<memguard::core::ErrCofferExpired> attempted usage of destroyed key object")

// cofferSize is the number of bytes that a coffer keeps.
const cofferSize = 32

// A Coffer keeps a random value of 32 bytes, sealed under the session's key. It starts
// no goroutine and locks no memory. A purge destroys it. The zero Coffer is destroyed.
type Coffer struct {
	sync.Mutex

	value *enclave.Enclave // protected by Mutex; nil once destroyed
}

// NewCoffer returns a coffer with a new random value. If no memory can be locked, it
// panics with a *[locked.LimitError].
func NewCoffer() *Coffer {
	s := new(Coffer)
	must(s.draw())
	return s
}

// draw seals a fresh value. The caller holds the lock, or the only reference.
func (s *Coffer) draw() error {
	for {
		b, err := NewBuffer(cofferSize)
		if err != nil {
			return err
		}
		b.Scramble()
		if err := s.seal(b); err != ErrBufferExpired {
			return err
		}
		// A purge came between.
	}
}

// seal makes what b holds the value. The caller holds the lock, or the only
// reference.
func (s *Coffer) seal(b *Buffer) error {
	e, err := Seal(b)
	if err != nil {
		b.Destroy()
		return err
	}
	s.replace(e.sealed)
	return nil
}

// replace destroys the old value. The caller holds the lock.
func (s *Coffer) replace(fresh *enclave.Enclave) {
	s.value.Destroy()
	s.value = fresh
}

// Init draws a new random value. On a destroyed coffer it returns [ErrCofferExpired].
func (s *Coffer) Init() error {
	s.Lock()
	defer s.Unlock()
	if s.destroyed() {
		return ErrCofferExpired
	}
	return s.draw()
}

// View returns the value in a writable buffer, which the caller destroys. On a
// destroyed coffer it returns [ErrCofferExpired].
func (s *Coffer) View() (*Buffer, error) {
	s.Lock()
	defer s.Unlock()
	if s.value == nil {
		return nil, ErrCofferExpired
	}
	b, err := Open(&Enclave{s.value})
	if err == ErrDecryptionFailed {
		return nil, ErrCofferExpired
	}
	return b, err
}

// Rekey seals the same value again. A timer re-randomises the shares of the session
// key. On a destroyed coffer Rekey returns [ErrCofferExpired]; other errors are those
// of [Open].
func (s *Coffer) Rekey() error {
	s.Lock()
	defer s.Unlock()
	if s.value == nil {
		return ErrCofferExpired
	}
	b, err := Open(&Enclave{s.value})
	if err == nil {
		err = s.seal(b)
	}
	if err == ErrDecryptionFailed || err == ErrBufferExpired {
		return ErrCofferExpired
	}
	return err
}

// Destroy permanently disables the coffer. Destroying again does nothing.
func (s *Coffer) Destroy() error {
	s.Lock()
	defer s.Unlock()
	s.replace(nil)
	return nil
}

// Destroyed reports whether the coffer is nil or was destroyed, by its owner or by a
// purge.
func (s *Coffer) Destroyed() bool {
	if s == nil {
		return true
	}
	s.Lock()
	defer s.Unlock()
	return s.destroyed()
}

// destroyed is Destroyed for a caller that holds the lock.
func (s *Coffer) destroyed() bool {
	if s.value == nil {
		return true
	}
	// With room for it the value would open.
	_, err := s.value.OpenInto(nil)
	return !errors.Is(err, io.ErrShortBuffer)
}

// Format prints the size alone, whatever the verb.
func (s *Coffer) Format(f fmt.State, verb rune) { redact.Secret(cofferSize).Format(f, verb) }

// LogValue logs the size alone.
func (s *Coffer) LogValue() slog.Value { return redact.Secret(cofferSize).LogValue() }

// MarshalText encodes the size alone, in JSON too.
func (s *Coffer) MarshalText() ([]byte, error) { return redact.Secret(cofferSize).MarshalText() }
