package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
)

// maxSeats is how many keys may come in at once, where the budget allows it:
// enough that a slow client does not keep others from creating keys, and half
// of what a limit of 64 KiB has room for.
const maxSeats = 4

// wipeLimit bounds how long an exit at once waits for signatures under way,
// which take milliseconds at most.
const wipeLimit = time.Second

// A vault is all that holds secrets.
type vault struct {
	session *enclave.Session
	desk    *intake.Desk
	ring    *keyring.Ring
}

// openVault returns an empty vault. All the locked memory it will ever hold for
// long is taken here, and the session keeps a slot for signatures: if it starts it
// has what it needs.
func openVault(lockedBytes int, allowUnlocked bool) (_ *vault, err error) {
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: lockedBytes, AllowUnlocked: allowUnlocked})
	var limit *locked.LimitError
	switch {
	case errors.As(err, &limit) && limit.Budget > 0:
		return nil, fmt.Errorf("a budget of %d bytes of locked memory is too small: raise -locked-bytes, "+
			"and the limit of the process (ulimit -l) if it is below that: %w", limit.Budget, err)
	case err != nil:
		return nil, fmt.Errorf("no memory can be locked: %w", err)
	}
	v := &vault{session: session, ring: keyring.New(session)}
	// A file is read through a buffer of its own: the seats leave room for one.
	room, err := session.NewBuffer(intake.MaxText + 1)
	if err == nil {
		v.desk, err = intake.NewDesk(session, maxSeats)
		err = errors.Join(err, room.Destroy())
	}
	if err != nil {
		stats := session.Stats()
		err = fmt.Errorf("a budget of %d bytes of locked memory is too small, with %d in use: "+
			"raise -locked-bytes, and the limit of the process (ulimit -l) if it is below that: %w",
			stats.Budget, stats.LockedBytes, err)
		return nil, errors.Join(err, v.wipe())
	}
	return v, nil
}

// wipe ends everything, and gives all locked memory back.
func (v *vault) wipe() error {
	// First, so that what still waits gets an error instead of memory.
	errs := []error{v.session.Purge()}
	if v.desk != nil {
		errs = append(errs, v.desk.Close())
	}
	return errors.Join(append(errs, v.session.Close())...)
}

// wipeNow is wipe for a process that is about to exit: it does not wait long,
// and there is nothing to do about an error.
func (v *vault) wipeNow() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = v.wipe()
	}()
	select {
	case <-done:
	case <-time.After(wipeLimit):
	}
}
