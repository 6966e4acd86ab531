package core

import (
	"errors"
	"sync"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/locked"
)

// living lists the Buffers that are not destroyed, for Purge. It keeps no
// *memguard.LockedBuffer alive.
//
// A call that creates or opens a buffer read-locks the gate until the buffer is listed.
// A purge locks the gate while it replaces the key and reads the list, so every buffer
// that was decrypted under the old key is in the list. It destroys the buffers, each
// under its own lock, after it unlocks the gate, so that an owner who holds a buffer's
// lock may create others meanwhile. Nobody waits for a buffer's lock behind the gate.
var living struct {
	gate sync.RWMutex

	mu    sync.Mutex // protects what follows, and the links of listed buffers
	first *Buffer
}

// enter returns a listed Buffer of b. The caller holds the gate shared.
func enter(b *locked.Buffer) *Buffer {
	entered := &Buffer{buf: b}
	living.mu.Lock()
	defer living.mu.Unlock()
	entered.listed = true
	entered.next = living.first
	if entered.next != nil {
		entered.next.prev = entered
	}
	living.first = entered
	return entered
}

// leave takes b out of the list, if it is in.
func leave(b *Buffer) {
	living.mu.Lock()
	defer living.mu.Unlock()
	if !b.listed {
		return
	}
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		living.first = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	}
	b.prev, b.next, b.listed = nil, nil, false
}

// purge is Purge that returns what went wrong.
func purge() error {
	s := session.Load()
	if s == nil {
		return nil
	}
	living.gate.Lock()
	errs := []error{bridge.ResetKey(s)}
	// Buffers that a program made with the session itself go as well.
	others := map[any]bool{}
	for _, b := range bridge.OpenBuffers(s) {
		others[b] = true
	}
	var ours []*Buffer
	living.mu.Lock()
	for b := living.first; b != nil; b = b.next {
		ours = append(ours, b)
		delete(others, b.buf)
	}
	living.mu.Unlock()
	living.gate.Unlock()

	for _, b := range ours {
		errs = append(errs, b.destroy())
	}
	for b := range others {
		errs = append(errs, b.(*locked.Buffer).Destroy())
	}
	return errors.Join(errs...)
}
