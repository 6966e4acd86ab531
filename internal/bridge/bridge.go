// Package bridge holds functions that packages of this module export to each other and
// to nobody else. The package that a group's comment names sets its variables once, at
// start.
//
// Arguments and results have types of packages above this one, so they pass as any. A
// value of another type panics.
package bridge

import (
	"io"

	"github.com/memkeep/memkeep/internal/page"
)

// A Region is locked, guarded memory that is always readable and writable. The caller
// frees it, and synchronises access to its bytes.
type Region interface {
	Bytes() []byte // nil once freed
	Free() error   // wipes and unmaps it; after an error the pool's Close retries
}

// Set by locked.
var (
	// NewPool is locked.NewPool over a backend that is already open: it takes a
	// locked.Config and returns a *locked.Pool. Package enclave gives it memory that
	// is not locked, and tests inject faults with it.
	NewPool func(b page.Backend, cfg any) (pool any, err error)

	// Pages returns the whole pages that a *locked.Buffer lies in, which no other
	// buffer shares, nil once it is destroyed. The caller manages their protection
	// itself: whatever access it gives or takes, the buffer's methods still work.
	Pages func(buffer any) []byte

	// NewRegion returns zeroed working memory of a *locked.Pool, of size bytes rounded
	// up to whole pages. It counts towards the pool's budget and never waits.
	NewRegion func(pool any, size int) (Region, error)

	// PoolBuffers returns the open *locked.Buffers of a *locked.Pool.
	PoolBuffers func(pool any) []any

	// ReadPiece reads from r into a frozen *locked.Buffer of a *locked.Pool until it
	// holds size bytes, or until delim, which is taken from r and dropped, or until r
	// ends or fails. No delim is -1. done says that it came to delim, or without one to
	// the end of r, which is no error then. What was read before an error is in the
	// buffer, which is nil if that is nothing.
	ReadPiece func(pool any, r io.Reader, size, delim int) (buffer any, done bool, err error)
)

// NewCoffer is coffer.New for so many processors: it takes a *locked.Pool and a
// coffer.Config, and returns a *coffer.Coffer. Set by coffer.
var NewCoffer func(pool, cfg any, processors int) (coffer any, err error)

// Set by enclave.
var (
	// NewBareSession is enclave.NewSession that keeps no slots for Use, so that
	// buffers may take all of the budget: it takes an enclave.Config and returns an
	// *enclave.Session. Use then waits for what buffers leave.
	NewBareSession func(cfg any) (session any, err error)

	// ResetKey replaces the key of an *enclave.Session, as its Purge does, and leaves
	// its open buffers alone.
	ResetKey func(session any) error

	// OpenBuffers returns the open *locked.Buffers of an *enclave.Session.
	OpenBuffers func(session any) []any

	// ReadPart is ReadFull of an *enclave.Session for a size above 0, or ReadUntil, or
	// ReadAll for a delim of -1, but what was read before an error comes beside it. If
	// that is nothing, the buffer is nil.
	ReadPart func(session any, r io.Reader, size, delim int) (buffer any, err error)
)
