// Package coffer keeps one key in a locked pool's memory and seals and opens
// bytes under it.
//
// Most programs want the package enclave, which sits on top. A [Coffer] is for
// a program that stores sealed bytes itself.
//
// The key K is never at rest. It exists as two shares in different locked
// pages,
//
//	left = K ⊕ HChaCha20(right, domain)
//
// which a timer re-randomises: neither page alone says anything of K, and what
// a page held a moment ago says nothing together with what the other holds now.
// An operation assembles K in registers, or where no assembly is written for the
// processor in a locked working area, and clears them before it returns. What
// signals leave of the registers on the way is swept away with each
// re-randomisation, reset and close.
//
// Sealed bytes are XChaCha20-Poly1305 (RFC 8439, draft-irtf-cfrg-xchacha-03)
// without additional data, behind the counter part of their nonce:
//
//	sealed: [ counter 8 | ciphertext | tag 16 ]
//	nonce:  [ counter 8 | prefix 16 ]
//
// The prefix is random, drawn with the key. No counter is used twice under one
// key, so no nonce is, and none costs a system call. The counter comes first
// because HChaCha20 takes the first 16 bytes of the nonce: so each secret has a
// subkey of its own, and one that leaked would open no other secret.
package coffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memkeep/memkeep/internal/percpu"
	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

const (
	// KeySize is the size of the key in bytes.
	KeySize = xchacha.KeySize

	// Overhead is how many bytes longer sealed bytes are than their plaintext:
	// 8 of the counter and 16 of the tag.
	Overhead = counterSize + xchacha.TagSize

	// DefaultRekeyInterval is how often the shares are re-randomised: a
	// rekey takes some microseconds, so that twice a second costs nothing
	// measurable, and nothing of the shares stays in one place long enough
	// to burn in.
	DefaultRekeyInterval = 500 * time.Millisecond

	counterSize = 8
	prefixSize  = xchacha.NonceSize - counterSize
)

var (
	// ErrDecrypt says that sealed bytes did not open: they were tampered
	// with, or sealed under a key that is gone, as after a [Coffer.Reset].
	ErrDecrypt = errors.New("coffer: the ciphertext does not open under this key")

	// ErrClosed says that the coffer was closed.
	ErrClosed = locked.ErrClosed
)

// Config says how a Coffer is made. The zero value is a good choice.
type Config struct {
	// RekeyInterval is how often the shares are re-randomised:
	// [DefaultRekeyInterval] if zero, never if negative.
	RekeyInterval time.Duration
}

// A Coffer seals and opens bytes under a key that it alone has. It is safe for
// concurrent use. Close ends it, and it must be closed before its pool.
type Coffer struct {
	lanes   []*lane // a power of two of them
	hints   percpu.Hints
	regions []*locked.Region

	// The shares and the prefix may be read under any lane's lock, and
	// written under all of them: so readers share nothing, and a rekey waits
	// for those that are at work.
	key    xchacha.Shares
	spare  *[KeySize]byte // where the next right share goes; zero
	prefix [prefixSize]byte
	closed bool

	sweeper  sweeper
	rekeys   atomic.Uint64
	interval time.Duration
	timerMu  sync.Mutex  // protects timer, and is held while a tick runs
	timer    *time.Timer // nil if there is none, or no longer
}

// A lane is one of the places where operations run. Lanes lie far enough apart
// that operations on different processors do not meet.
type lane struct {
	mu      sync.Mutex     // protects what follows and, shared with all lanes, the key
	state   *xchacha.State // zero while nobody holds mu; see clearLanes
	counter uint64         // of the next nonce; its first bits name the lane
	nonce   *[xchacha.NonceSize]byte
	seals   uint64
	opens   uint64
	failed  uint64
	_       [percpu.CacheLine]byte
}

// laneBits of a counter name its lane, so that lanes count without each other;
// the rest can't run over: 2^56 seals at 100 ns each take two hundred years.
const laneBits = 8

// domain is what HChaCha20 takes besides the right share.
var domain = [16]byte([]byte("memkeep share v1"))

// New returns a coffer with a fresh random key, in two regions of the pool.
// The errors are those of [locked.Pool.NewRegion].
func New(pool *locked.Pool, cfg Config) (*Coffer, error) {
	c := &Coffer{interval: cfg.RekeyInterval, sweeper: realSweeper}
	if c.interval == 0 {
		c.interval = DefaultRekeyInterval
	}
	if err := c.layOut(pool); err != nil {
		return nil, fmt.Errorf("coffer: %w", errors.Join(err, c.free()))
	}
	// Nobody knows c yet: it is for the sweep alone that draw is exclusive.
	_ = c.exclusively(func() error { c.draw(); return nil })
	if c.interval > 0 {
		c.timerMu.Lock()
		defer c.timerMu.Unlock()
		c.timer = time.AfterFunc(c.interval, c.tick)
	}
	return c, nil
}

// Each of the two regions starts with its share, and goes on with the states of
// every second lane.
const shareArea = percpu.CacheLine

// layOut puts shares and lanes in two regions.
func (c *Coffer) layOut(pool *locked.Pool) error {
	// As many as the pool has places, so that no two of those share one, where
	// the budget and the counter's bits are enough for that.
	lanes := percpu.Places(2*runtime.GOMAXPROCS(0), 1<<laneBits)
	pageSize := os.Getpagesize()
	size := shareArea + (lanes+1)/2*laneSize
	// Where locked memory is scarce the lanes share what one page each holds.
	if size > pageSize && pool.Stats().Budget < 64*size {
		size = pageSize
		lanes = percpu.Places(lanes, floorPow2(2*((pageSize-shareArea)/laneSize)))
	}
	for range 2 {
		r, err := pool.NewRegion(size)
		if err != nil {
			return err
		}
		c.regions = append(c.regions, r)
	}
	left, right := c.regions[0].Bytes(), c.regions[1].Bytes()
	c.key = xchacha.Shares{Left: (*[KeySize]byte)(left), Right: (*[KeySize]byte)(right), Domain: &domain}
	c.spare = (*[KeySize]byte)(right[shareArea/2:])
	for i := range lanes {
		area := c.regions[i%2].Bytes()[shareArea+i/2*laneSize:][:laneSize]
		c.lanes = append(c.lanes, &lane{
			state:   xchacha.StateAt(area),
			nonce:   (*[xchacha.NonceSize]byte)(area[xchacha.StateSize:]),
			counter: uint64(i) << (64 - laneBits),
		})
	}
	return nil
}

// laneSize is a state, the nonce, and room up to the next pair of cache lines.
const laneSize = xchacha.StateSize + percpu.CacheLine

// enter returns a lane, locked: the one that the hint names, if it is free. A
// caller that met another there goes on, and the hint with it.
func (c *Coffer) enter(h *percpu.Hint) *lane {
	mask := uint32(len(c.lanes) - 1)
	for i := range uint32(len(c.lanes)) {
		if l := c.lanes[(h.Index+i)&mask]; l.mu.TryLock() {
			h.Index += i
			return l
		}
	}
	l := c.lanes[h.Index&mask]
	l.mu.Lock()
	return l
}

// Seal writes the sealed plaintext to dst, which must be [Overhead] bytes
// longer. The plaintext is only read: the caller wipes it.
func (c *Coffer) Seal(dst, plaintext []byte) error {
	if len(dst) != len(plaintext)+Overhead {
		return fmt.Errorf("coffer: %d bytes for the sealed form of %d: must be %d", len(dst), len(plaintext), len(plaintext)+Overhead)
	}
	h := c.hints.Get()
	defer c.hints.Put(h)
	l := c.enter(h)
	defer l.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	binary.LittleEndian.PutUint64(dst, l.counter)
	l.counter++
	l.seals++
	c.setNonce(l, dst)
	l.state.Seal(dst[counterSize:], plaintext, l.nonce, &c.key)
	return nil
}

// Open writes the plaintext of sealed to dst, which must be [Overhead] bytes
// shorter, and should be locked memory; the caller wipes it. If sealed does not
// open, the error is [ErrDecrypt] and dst is zero.
func (c *Coffer) Open(dst, sealed []byte) error {
	h := c.hints.Get()
	defer c.hints.Put(h)
	return c.open(h, dst, sealed)
}

// OpenAt is Open for a caller that knows a place of its own: any number that
// callers on other processors mostly do not share.
func (c *Coffer) OpenAt(place int, dst, sealed []byte) error {
	return c.open(&percpu.Hint{Index: uint32(place)}, dst, sealed)
}

func (c *Coffer) open(h *percpu.Hint, dst, sealed []byte) error {
	if len(sealed) < Overhead || len(dst) != len(sealed)-Overhead {
		return fmt.Errorf("coffer: %d bytes for the plaintext of %d sealed: must be %d", len(dst), len(sealed), max(0, len(sealed)-Overhead))
	}
	l := c.enter(h)
	defer l.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	l.opens++
	c.setNonce(l, sealed)
	if !l.state.Open(dst, sealed[counterSize:], l.nonce, &c.key) {
		l.failed++
		return ErrDecrypt
	}
	return nil
}

// setNonce builds the nonce of sealed bytes, whose counter is in place. The
// caller holds the lane's lock.
func (c *Coffer) setNonce(l *lane, sealed []byte) {
	copy(l.nonce[:counterSize], sealed)
	copy(l.nonce[counterSize:], c.prefix[:])
}

// Format prints the size of the key alone, whatever the verb.
func (c *Coffer) Format(f fmt.State, verb rune) { redact.Secret(KeySize).Format(f, verb) }

// String returns "[REDACTED 32 bytes]".
func (c *Coffer) String() string { return redact.Secret(KeySize).String() }

// LogValue logs the size of the key alone.
func (c *Coffer) LogValue() slog.Value { return redact.Secret(KeySize).LogValue() }

// MarshalText encodes the size of the key alone, in JSON too.
func (c *Coffer) MarshalText() ([]byte, error) { return redact.Secret(KeySize).MarshalText() }

func floorPow2(n int) int {
	p := 1
	for p*2 <= n {
		p *= 2
	}
	return p
}
