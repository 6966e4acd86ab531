// Package coffer keeps one key in a locked pool's memory and seals and opens
// bytes under it.
//
// Most programs want the package enclave, which sits on top. A [Coffer] is for
// a program that stores sealed bytes itself.
//
// The key K is never at rest. It exists as two shares in different locked
// pages,
//
//	left = K ⊕ HChaCha8(right, domain)
//
// which a timer re-randomises: neither page alone says anything of K, and what
// a page held a moment ago says nothing together with what the other holds now.
// An operation assembles K in registers, or where no assembly is written for the
// processor in a locked working area, and clears them before it returns.
//
// # Signals
//
// A signal that arrives during an operation saves the registers in ordinary
// memory. On Linux and FreeBSD the next re-randomisation, reset or close after
// an operation overwrites that: it sends SIGURG, which Go's scheduler uses too,
// to every thread of the process, at most twice a second for all coffers
// together, and to no thread if nothing ran. Threads of C libraries get it as
// well, and system calls such as poll and epoll_wait then return EINTR there.
// [Config.NoSignals] turns that off.
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
	"sync"
	"sync/atomic"
	"time"

	"github.com/memkeep/memkeep/internal/percpu"
	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/internal/sigframe"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

const (
	// KeySize is the size of the key in bytes.
	KeySize = xchacha.KeySize

	// Overhead is how many bytes longer sealed bytes are than their plaintext:
	// 8 of the counter and 16 of the tag.
	Overhead = counterSize + xchacha.TagSize

	// DefaultRefreshInterval is how often the shares are re-randomised: a
	// refresh takes some microseconds, so that twice a second costs nothing
	// measurable, and nothing of the shares stays in one place long enough
	// to burn in.
	DefaultRefreshInterval = 500 * time.Millisecond

	counterSize = 8
	prefixSize  = xchacha.NonceSize - counterSize
)

var (
	// ErrDecrypt says that sealed bytes did not open: they were tampered
	// with, or sealed under a key that is gone, as after a [Coffer.Reset].
	ErrDecrypt = errors.New("coffer: decryption failed: wrong key or corrupted ciphertext")

	// ErrClosed says that the coffer was closed.
	ErrClosed = locked.ErrClosed
)

// Config says how a Coffer is made. The zero value is a good choice.
type Config struct {
	// RefreshInterval is how often the shares are re-randomised:
	// [DefaultRefreshInterval] if zero, never if negative.
	RefreshInterval time.Duration

	// NoSignals keeps the coffer from sending signals to the process's threads:
	// for programs whose C code takes EINTR for a failure. What a signal saved of
	// the cipher's registers, up to a whole key or 64 bytes of a plaintext, then
	// stays in ordinary memory until the thread's next signal. Coffers are alike in
	// that: one that sends signals sends them to every thread.
	NoSignals bool
}

// A Coffer seals and opens bytes under a key that it alone has. It is safe for
// concurrent use. Close ends it, and it must be closed before its pool. New
// makes one: the zero value is closed.
type Coffer struct {
	lanes   []*lane      // a power of two of them
	hints   percpu.Hints // of lanes
	regions []*locked.Region

	// The shares and the prefix may be read under any lane's lock, and
	// written under all of them: so readers share nothing, and a refresh waits
	// for those that are at work.
	key    xchacha.Shares
	spare  *[KeySize]byte // where the next right share goes; zero
	prefix [prefixSize]byte
	closed bool

	silent    bool // sends no signals
	refreshes atomic.Uint64
	interval  time.Duration
	timerMu   sync.Mutex  // protects timer, and is held while a tick runs
	timer     *time.Timer // nil if there is none, or no longer
}

// domain is what HChaCha8 takes besides the right share.
var domain = [16]byte([]byte("memkeep share v1"))

// New returns a coffer with a fresh random key, in two regions of the pool.
// The errors are those of [locked.Pool.NewRegion].
func New(pool *locked.Pool, cfg Config) (*Coffer, error) {
	c := &Coffer{interval: cfg.RefreshInterval, silent: cfg.NoSignals}
	if c.interval == 0 {
		c.interval = DefaultRefreshInterval
	}
	if err := c.layOut(pool); err != nil {
		return nil, fmt.Errorf("coffer: %w", errors.Join(err, c.free()))
	}
	// Nobody knows c yet: it is for the sweep alone that draw is exclusive.
	_ = c.exclusively(func() error { c.draw(); return nil }, sigframe.SweepDue)
	if c.interval > 0 {
		c.timerMu.Lock()
		defer c.timerMu.Unlock()
		c.timer = time.AfterFunc(c.interval, c.tick)
	}
	return c, nil
}

// Seal writes the sealed plaintext to dst, which must be [Overhead] bytes
// longer. The plaintext is only read: the caller wipes it. It may be sealed in
// place, if it begins at dst[8]; otherwise dst and plaintext must not overlap.
func (c *Coffer) Seal(dst, plaintext []byte) error {
	if len(dst) != len(plaintext)+Overhead {
		return fmt.Errorf("coffer: dst has %d bytes: sealing %d takes %d", len(dst), len(plaintext), len(plaintext)+Overhead)
	}
	if xchacha.Overlap(dst, plaintext) && &plaintext[0] != &dst[counterSize] {
		return errors.New("coffer: dst and plaintext overlap: in place, the plaintext begins at dst[8]")
	}
	l := c.enter()
	if l == nil {
		return ErrClosed
	}
	defer l.mu.Unlock()
	binary.LittleEndian.PutUint64(dst, l.counter)
	l.counter++
	l.seals++
	l.dirty = true
	c.setNonce(l, dst)
	l.state.Seal(dst[counterSize:], plaintext, l.nonce, &c.key)
	return nil
}

// Open writes the plaintext of sealed to dst, which must be [Overhead] bytes
// shorter, and should be locked memory; the caller wipes it. If sealed does not
// open, the error is [ErrDecrypt] and dst is zero. It may be opened in place, if
// dst begins at sealed[8]; otherwise dst and sealed must not overlap.
func (c *Coffer) Open(dst, sealed []byte) error {
	if len(sealed) < Overhead || len(dst) != len(sealed)-Overhead {
		return fmt.Errorf("coffer: dst has %d bytes: opening %d takes %d", len(dst), len(sealed), max(0, len(sealed)-Overhead))
	}
	if xchacha.Overlap(dst, sealed) && &dst[0] != &sealed[counterSize] {
		return errors.New("coffer: dst and sealed overlap: in place, dst begins at sealed[8]")
	}
	l := c.enter()
	if l == nil {
		return ErrClosed
	}
	defer l.mu.Unlock()
	l.opens++
	l.dirty = true
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
