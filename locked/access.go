package locked

import (
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/wipe"
)

// prepare makes the window writable and puts the canary before the data. A single
// mapping is wiped once more: whoever had it last may have written to it after
// it was wiped, as long as its pages were not closed yet.
func (p *Pool) prepare(s *slot, l layout) error {
	if !s.run.Dual {
		if err := p.show(s, page.ReadWrite); err != nil {
			return err
		}
		wipe.Bytes(s.run.Window)
	}
	l.put(s.run.Window, &p.canary)
	s.armed, s.written = true, !s.run.Dual
	return nil
}

// closeSlot wipes a slot, and leaves a view that it had to open, or that was a
// buffer's, without access. It returns ErrCorrupted if the data was overrun,
// and what went wrong: then the slot must not be used again.
func (p *Pool) closeSlot(s *slot, l layout) (corrupted, err error) {
	if s.run.Dual {
		// Closed first, nothing can write through the view once it is wiped.
		// The view of a use slot was never writable.
		if s.kind.role != forUse {
			err = p.show(s, page.None)
		}
		return p.wipeWindow(s, l), err
	}
	failed := p.show(s, page.ReadWrite)
	if failed != nil {
		// The secret has to go: what fails once may not fail twice.
		if err := p.show(s, page.ReadWrite); err != nil {
			return nil, err
		}
	}
	corrupted = p.wipeWindow(s, l)
	return corrupted, errors.Join(failed, p.show(s, page.None))
}

// wipeWindow wipes the data and its canary, and everything if they were
// overrun, which it reports. Of a buffer that its caller could write to, the
// padding had better been left alone too.
func (p *Pool) wipeWindow(s *slot, l layout) error {
	window := s.run.Window
	padding := s.kind.role != forUse && (s.written || s.exposed)
	if s.armed && !(l.intact(window, &p.canary) && (!padding || allZero(window[:l.canary]))) {
		s.armed = false
		wipe.Bytes(window)
		return ErrCorrupted
	}
	s.armed = false
	wipe.Bytes(window[l.canary:])
	return nil
}

// show sets the access of the slot's view, unless it has it already. Of an
// exposed slot nobody knows.
func (p *Pool) show(s *slot, a page.Access) error {
	if s.shown == a && !s.exposed {
		return nil
	}
	err := p.store.backend.Protect(s.run, a)
	if err == nil {
		s.shown = a
		s.written = s.written || a == page.ReadWrite
		return nil
	}
	var refused *page.LockError
	if errors.As(err, &refused) {
		return p.store.limitError(len(s.run.View), refused)
	}
	return fmt.Errorf("locked: %w", err)
}
