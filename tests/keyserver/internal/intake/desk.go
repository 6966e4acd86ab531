package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

const (
	// MaxText is the longest text of one key, in bytes: a line of a file, or
	// the body of a request. The longest key takes 1368 bytes of it, if its
	// base64 has no escapes.
	MaxText = 2560

	// MaxKey is the size of the longest key there is room for, in bytes.
	// With MaxText, the end of the line and the canary it fits in a page.
	MaxKey = 1024

	seatSize = MaxText + 1 + MaxKey
)

// ErrClosed says that the desk was closed.
var ErrClosed = errors.New("intake: the desk is closed")

// A Desk bounds how many keys may come in at once: it has a few seats of locked
// memory, and who finds none free waits. It is safe for concurrent use.
type Desk struct {
	seats chan *locked.Buffer // the free ones
	all   []*locked.Buffer
}

// NewDesk returns a desk with up to seats seats: as many as the session's budget
// has room for, and at least one.
func NewDesk(session *enclave.Session, seats int) (*Desk, error) {
	d := &Desk{seats: make(chan *locked.Buffer, seats)}
	for range seats {
		b, err := session.NewBuffer(seatSize)
		if err != nil && len(d.all) > 0 && errors.Is(err, locked.ErrExhausted) {
			break
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("intake: %d bytes to read keys into: %w", seatSize, err), d.Close())
		}
		d.all = append(d.all, b)
		d.seats <- b
	}
	return d, nil
}

// Seats returns how many seats there are.
func (d *Desk) Seats() int { return len(d.all) }

// Use runs fn on a seat: text has room for MaxText bytes and the end of a line,
// key for MaxKey bytes. It waits for a free seat until ctx ends, and then
// returns its cause; it wipes the seat when fn returns.
func (d *Desk) Use(ctx context.Context, fn func(text, key []byte) error) error {
	var b *locked.Buffer
	select {
	case b = <-d.seats:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { d.seats <- b }()
	err := b.Use(func(memory []byte) error {
		defer clear(memory)
		return fn(memory[:MaxText+1:MaxText+1], memory[MaxText+1:])
	})
	if errors.Is(err, locked.ErrDestroyed) {
		return ErrClosed
	}
	return err
}

// Close destroys the seats. One that is in use is wiped and destroyed when its
// user is done.
func (d *Desk) Close() error {
	var errs []error
	for _, b := range d.all {
		errs = append(errs, b.Destroy())
	}
	return errors.Join(errs...)
}
