// Package coffer encrypts bytes under a key that is never stored whole.
//
// Most programs want the package enclave, which is built on it. A [Coffer] is for
// programs that store ciphertexts themselves.
//
// # The key
//
// The key K exists as two shares in separate locked pages:
//
//	left = K ⊕ HChaCha8(right, domain)
//
// A timer re-randomises both. Neither page alone says anything about K, and neither
// does an old copy of one page together with the other one's present content. An
// operation assembles K in registers (in locked memory on processors without
// assembly) and clears them before it returns.
//
// # Format
//
// Sealed bytes are XChaCha20-Poly1305 (RFC 8439, draft-irtf-cfrg-xchacha-03)
// without additional data, after the first part of their nonce:
//
//	sealed: [ counter 8 | ciphertext | tag 16 ]
//	nonce:  [ counter 8 | prefix 16 ]
//
// The prefix is random and drawn with the key, and no counter is used twice under
// one key, so every nonce is unique and costs no system call. HChaCha20 takes the
// first 16 bytes of the nonce, which include the counter, so each secret has its own
// subkey: one that leaked would open no other secret.
//
// # Signals
//
// A signal that arrives during an operation saves the registers in ordinary memory.
// On Linux and FreeBSD the next refresh, reset or close overwrites them: it sends
// SIGURG, which Go's scheduler uses too, to every thread of the process, at most
// twice a second for all coffers together, and only if an operation ran since the
// last time. Threads of C libraries receive the signal as well, and system calls
// such as poll and epoll_wait return EINTR there. [Config.NoSignals] turns it off, and so
// does a program that ignores SIGURG.
package coffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/percpu"
	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/internal/sigframe"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

const (
	// KeySize is the size of the key in bytes.
	KeySize = xchacha.KeySize

	// Overhead is the difference between the sizes of sealed bytes and their
	// plaintext: 8 bytes of counter and 16 of tag.
	Overhead = counterSize + xchacha.TagSize

	// DefaultRefreshInterval is how often the shares are re-randomised. A
	// refresh takes some microseconds, so twice a second costs nothing
	// measurable, and is often enough that no share burns into memory.
	DefaultRefreshInterval = 500 * time.Millisecond

	counterSize = 8
	prefixSize  = xchacha.NonceSize - counterSize
)

var (
	// ErrDecrypt reports that sealed bytes did not decrypt: they were modified, or
	// sealed under another key, as before a [Coffer.Reset].
	ErrDecrypt = errors.New("coffer: decryption failed: wrong key or corrupted ciphertext")

	// ErrClosed reports that the coffer was closed.
	ErrClosed = locked.ErrClosed
)

// Config configures a Coffer. The zero value is a good choice.
type Config struct {
	// RefreshInterval is how often the shares are re-randomised:
	// [DefaultRefreshInterval] if zero, never if negative. Register contents
	// that signals saved to memory are overwritten at the same time.
	RefreshInterval time.Duration

	// NoSignals keeps the coffer from sending signals to the process's threads. Set
	// it if C code in the process takes EINTR for a failure. What a signal saved of
	// the cipher's registers, up to a whole key or 64 bytes of plaintext, then stays
	// in ordinary memory until the thread's next signal. Other coffers still send
	// signals to every thread.
	NoSignals bool
}

// A Coffer seals and opens bytes under a random key that only it has. It is safe for
// concurrent use. Close it before its pool. The zero Coffer is closed.
type Coffer struct {
	workspaces []*workspace // a power of two of them
	hints      percpu.Hints // of workspaces
	regions    []bridge.Region

	// The shares and the prefix may be read under any workspace's lock, and
	// written under all of them: so readers share nothing, and a refresh waits
	// for those that are at work.
	key    *xchacha.Shares // not in Coffer itself: %s of a copied Coffer prints what its pointers point to
	spare  *[KeySize]byte  // where the next right share goes; zero
	prefix [prefixSize]byte
	closed bool

	silent    bool // sends no signals
	refreshes atomic.Uint64
	interval  time.Duration
	timerMu   sync.Mutex  // protects timer, and is held while a tick runs
	timer     *time.Timer // nil if there is none, or no longer
}

// domain is HChaCha8's input beside the right share.
var domain = [16]byte([]byte("memkeep share v1"))

// New returns a coffer with a new random key, which takes at least two pages of the
// pool's budget. The caller closes it. The errors are those of [locked.Pool.New].
func New(pool *locked.Pool, cfg Config) (*Coffer, error) {
	// GOMAXPROCS may change later, the number of processors does not.
	return newFor(pool, cfg, runtime.NumCPU())
}

func init() {
	bridge.NewCoffer = func(pool, cfg any, processors int) (any, error) {
		return newFor(pool.(*locked.Pool), cfg.(Config), processors)
	}
}

func newFor(pool *locked.Pool, cfg Config, processors int) (*Coffer, error) {
	c := &Coffer{interval: cfg.RefreshInterval, silent: cfg.NoSignals}
	if c.interval == 0 {
		c.interval = DefaultRefreshInterval
	}
	if err := c.layOut(pool, processors); err != nil {
		return nil, errors.Join(err, c.free())
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

// Seal encrypts plaintext to dst, which must be [Overhead] bytes longer. It does not
// wipe the plaintext. To seal in place, begin the plaintext at dst[8]; otherwise the
// two must not overlap.
func (c *Coffer) Seal(dst, plaintext []byte) error {
	if len(dst) != len(plaintext)+Overhead {
		return fmt.Errorf("coffer: dst has %d bytes: sealing %d bytes needs %d", len(dst), len(plaintext), len(plaintext)+Overhead)
	}
	if xchacha.Overlap(dst, plaintext) && &plaintext[0] != &dst[counterSize] {
		return errors.New("coffer: dst and plaintext overlap: to seal in place, begin the plaintext at dst[8]")
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
	l.state.Seal(dst[counterSize:], plaintext, l.nonce, c.key)
	return nil
}

// Open decrypts sealed to dst, which must be [Overhead] bytes shorter and should be
// locked memory. The caller wipes it. If sealed does not decrypt, Open returns
// [ErrDecrypt] and dst is zero. To open in place, begin dst at sealed[8]; otherwise
// the two must not overlap.
func (c *Coffer) Open(dst, sealed []byte) error {
	if len(sealed) < Overhead || len(dst) != len(sealed)-Overhead {
		return fmt.Errorf("coffer: dst has %d bytes: opening %d bytes needs %d", len(dst), len(sealed), max(0, len(sealed)-Overhead))
	}
	if xchacha.Overlap(dst, sealed) && &dst[0] != &sealed[counterSize] {
		return errors.New("coffer: dst and sealed overlap: to open in place, begin dst at sealed[8]")
	}
	l := c.enter()
	if l == nil {
		return ErrClosed
	}
	defer l.mu.Unlock()
	l.opens++
	l.dirty = true
	c.setNonce(l, sealed)
	if !l.state.Open(dst, sealed[counterSize:], l.nonce, c.key) {
		l.failed++
		return ErrDecrypt
	}
	return nil
}

// setNonce builds the nonce of sealed bytes, whose counter is in place. The
// caller holds the workspace's lock.
func (c *Coffer) setNonce(l *workspace, sealed []byte) {
	copy(l.nonce[:counterSize], sealed)
	copy(l.nonce[counterSize:], c.prefix[:])
}

// Format prints the size of the key alone, whatever the verb.
func (c *Coffer) Format(f fmt.State, verb rune) { redact.Secret(KeySize).Format(f, verb) }

// String returns "[REDACTED 32 bytes]".
func (c *Coffer) String() string { return redact.Secret(KeySize).String() }

// GoString returns "[REDACTED 32 bytes]".
func (c *Coffer) GoString() string { return c.String() }

// LogValue logs the size of the key alone.
func (c *Coffer) LogValue() slog.Value { return redact.Secret(KeySize).LogValue() }

// MarshalText encodes the size of the key alone, in JSON too.
func (c *Coffer) MarshalText() ([]byte, error) { return redact.Secret(KeySize).MarshalText() }
