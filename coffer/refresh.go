package coffer

import (
	"errors"

	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/sigframe"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// lockAll takes every workspace's lock, always in the same order, which excludes all
// operations.
func (c *Coffer) lockAll() {
	for _, l := range c.workspaces {
		l.mu.Lock()
	}
}

func (c *Coffer) unlockAll() {
	for _, l := range c.workspaces {
		l.mu.Unlock()
	}
}

// draw makes a new key by drawing both shares, without assembling it. The caller
// holds all locks.
func (c *Coffer) draw() {
	random.Bytes(c.key.Left[:])
	random.Bytes(c.key.Right[:])
	random.Bytes(c.prefix[:])
}

// Refresh re-randomises the shares. The key stays the same and is not assembled: the
// new right share's mask is added to the left one before the old mask is removed.
func (c *Coffer) Refresh() error { return c.exclusively(c.refresh, sigframe.Sweep) }

// refresh is Refresh for a caller that holds all locks.
func (c *Coffer) refresh() error {
	if c.closed || len(c.workspaces) == 0 {
		return ErrClosed
	}
	old, fresh := c.key.Right, c.spare
	state := c.workspaces[0].state
	random.Bytes(fresh[:])
	state.HChaCha8(&state.Key, fresh, &domain)
	xchacha.XOR(c.key.Left, &state.Key)
	state.HChaCha8(&state.Key, old, &domain)
	xchacha.XOR(c.key.Left, &state.Key)
	state.Wipe()
	wipe.Bytes(old[:])
	c.key.Right, c.spare = fresh, old
	c.refreshes.Add(1)
	return nil
}

// Reset replaces the key by a new random one. What was sealed before never opens
// again: Open returns [ErrDecrypt]. Operations that are running finish first.
func (c *Coffer) Reset() error {
	return c.exclusively(func() error {
		if c.closed || len(c.workspaces) == 0 {
			return ErrClosed
		}
		c.draw()
		return nil
	}, sigframe.Sweep)
}

// Close wipes the key, stops the timer and frees the coffer's memory. If some could
// not be freed, Close returns an error, and closing again retries.
func (c *Coffer) Close() error {
	c.timerMu.Lock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.timerMu.Unlock()

	return c.exclusively(func() error {
		c.closed = true
		if err := c.free(); err != nil {
			return err
		}
		// The system may map something else there.
		c.key, c.spare = nil, nil
		for _, l := range c.workspaces {
			l.state, l.nonce = nil, nil
		}
		return nil
	}, sigframe.Sweep)
}

// free gives the coffer's memory back.
func (c *Coffer) free() error {
	var errs []error
	for _, r := range c.regions {
		errs = append(errs, r.Free())
	}
	return errors.Join(errs...)
}

// tick refreshes the shares and restarts the timer. As the timer's function it needs
// no goroutine between two ticks.
func (c *Coffer) tick() {
	c.timerMu.Lock()
	defer c.timerMu.Unlock()
	if c.timer == nil {
		return
	}
	// The timer is gone before the coffer is closed.
	_ = c.exclusively(c.refresh, sigframe.SweepDue)
	c.timer.Reset(c.interval)
}

// Stats counts what a coffer did.
type Stats struct {
	Seals     uint64 // calls of Seal
	Opens     uint64 // calls of Open
	Failures  uint64 // calls of Open that returned ErrDecrypt
	Refreshes uint64 // times the shares were re-randomised
}

// Stats returns the coffer's statistics. It takes each workspace's lock for a moment.
func (c *Coffer) Stats() Stats {
	s := Stats{Refreshes: c.refreshes.Load()}
	for _, l := range c.workspaces {
		l.mu.Lock()
		s.Seals += l.seals
		s.Opens += l.opens
		s.Failures += l.failed
		l.mu.Unlock()
	}
	return s
}
