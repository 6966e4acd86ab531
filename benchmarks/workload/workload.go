// Package workload is what is done with a contender, and timed. It runs in a
// child process that has this one contender and nothing else in it: the
// garbage, the locked pages and the crashes of one are not another's.
package workload

import (
	"runtime"
	"time"

	"github.com/memkeep/memkeep/benchmarks/contenders"
)

// An Op is something that a child can be asked for.
type Op string

const (
	// OpCheck holds the contender to its promises, at each of Sizes.
	OpCheck Op = "check"
	// OpOpen opens, touches and closes: each goroutine a secret of its own.
	OpOpen Op = "open"
	// OpSeal seals, one goroutine.
	OpSeal Op = "seal"
	// OpPopulate seals Secrets secrets, which are kept for what follows, and
	// measures what they take.
	OpPopulate Op = "populate"
	// OpMix is 90% Use, 9% Open and 1% sealing anew, over what was populated.
	OpMix Op = "mix"
	// OpHot opens the same 1,000 of the populated secrets again and again.
	OpHot Op = "hot"
	// OpAny opens any of the populated secrets.
	OpAny Op = "any"
	// OpPurge makes the populated secrets unreadable.
	OpPurge Op = "purge"
	// OpCipherOpen and OpCipherSeal are Cipher alone, on one message.
	OpCipherOpen Op = "cipher: open"
	OpCipherSeal Op = "cipher: seal"
)

// A Request is one line of JSON to a child.
type Request struct {
	Op         Op
	Contender  string         `json:",omitempty"` // whose store to measure, if not the process's own
	Holder     string         `json:",omitempty"` // populate this, and not the store
	Cipher     string         `json:",omitempty"` // for OpCipherOpen and OpCipherSeal
	Way        contenders.Way `json:",omitempty"`
	Size       int            `json:",omitempty"` // of each secret, in bytes
	Sizes      []int          `json:",omitempty"`
	Goroutines int            `json:",omitempty"`
	Secrets    int            `json:",omitempty"`
	Awake      int            `json:",omitempty"` // threads of the process that are busy meanwhile
	Yield      bool           `json:",omitempty"` // lets other goroutines run while a secret is open
	Latency    bool           `json:",omitempty"` // time each operation, not all together
	For        time.Duration  // how long to measure, or the most that it may take
	Algorithm  string         `json:",omitempty"` // of a key
	Heap       bool           `json:",omitempty"` // the standard library's key
}

// A Sample is what one request measured.
type Sample struct {
	Ops       int64         `json:"ops,omitempty"`
	Elapsed   time.Duration `json:"ns,omitempty"`
	Histogram []byte        `json:"histogram,omitempty"` // of latencies in ns, HDR V2 compressed
	Footprint *Footprint    `json:"footprint,omitempty"`
	Note      string        `json:"note,omitempty"`

	// Unfinished says that the answer is still to come: how far it is, should
	// the child not live to tell.
	Unfinished bool `json:"unfinished,omitempty"`

	Error string `json:"error,omitempty"`
}

// NsPerOp is the wall time for each operation, over all goroutines together.
func (s Sample) NsPerOp() float64 { return float64(s.Elapsed) / float64(s.Ops) }

// A Footprint is what a process holds with so many secrets at rest: -1 for what
// is unknown.
type Footprint struct {
	Secrets   int   // how many there are: fewer than asked for if it failed
	Heap      int64 // bytes on the Go heap for all of them
	Objects   int64 // allocations for all of them
	GC        int64 // ns that one collection takes, the median of some
	GCBefore  int64 // the same without the secrets
	GCCPU     int64 // ns of processors' time that one collection takes
	GCPause   int64 // ns for which it stops the program
	Locked    int64 // bytes that the system has locked for the process
	Mappings  int64 // of the process
	RSS       int64 // bytes resident
	RSSBefore int64 // the same without the secrets
}

// A touch is what an opened secret is used for: something has to be read, or it
// need not be there.
type touch struct {
	sum byte
	_   [127]byte // so that goroutines do not meet on a cache line
}

func (t *touch) read(b []byte) error {
	t.sum += b[0] + b[len(b)-1]
	return nil
}

// readAndYield lets another goroutine run while the secret is open.
func (t *touch) readAndYield(b []byte) error {
	runtime.Gosched()
	return t.read(b)
}
