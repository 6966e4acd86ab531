package coffer

import (
	"math/bits"
	"os"
	"runtime"
	"sync"

	"github.com/memkeep/memkeep/internal/percpu"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// A lane is one of the places where operations run. Lanes lie far enough apart
// that operations on different processors do not meet.
type lane struct {
	mu      sync.Mutex     // protects what follows and, shared with all lanes, the key
	state   *xchacha.State // zero while nobody holds mu; see clearLanes
	number  uint32         // of the lane; it does not change
	dirty   bool           // an operation ran since clearLanes
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

// Each of the two regions starts with its share, and goes on with the states of
// every second lane.
const shareArea = percpu.CacheLine

// fewestLanes is how many lanes two pages of 4 KiB hold besides the shares, so
// that they cost nothing. An operation on 32 bytes holds one for some 250 ns.
const fewestLanes = 8

// layOut puts shares and lanes in two regions.
func (c *Coffer) layOut(pool *locked.Pool) error {
	// A lane for each processor, so that none need share one, where the budget
	// and the counter's bits are enough for that. GOMAXPROCS may change later, the
	// number of processors does not.
	lanes := percpu.Places(max(fewestLanes, runtime.NumCPU()), 1<<laneBits)
	pageSize := os.Getpagesize()
	size := shareArea + lanes/2*laneSize
	// Where locked memory is scarce the lanes share what one page each holds.
	if size > pageSize && pool.Stats().Budget < 64*size {
		size = pageSize
		lanes = percpu.Places(lanes, 1<<(bits.Len(uint(2*((pageSize-shareArea)/laneSize)))-1))
	}
	for range 2 {
		r, err := pool.NewRegion(size)
		if err != nil {
			return err
		}
		c.regions = append(c.regions, r)
	}
	left, right := c.regions[0].Bytes(), c.regions[1].Bytes()
	c.key = &xchacha.Shares{Left: (*[KeySize]byte)(left), Right: (*[KeySize]byte)(right), Domain: &domain}
	c.spare = (*[KeySize]byte)(right[shareArea/2:])
	for i := range lanes {
		area := c.regions[i%2].Bytes()[shareArea+i/2*laneSize:][:laneSize]
		c.lanes = append(c.lanes, &lane{
			number:  uint32(i),
			state:   xchacha.StateAt(area),
			nonce:   (*[xchacha.NonceSize]byte)(area[xchacha.StateSize:]),
			counter: uint64(i) << (64 - laneBits),
		})
	}
	return nil
}

// laneSize is a state, the nonce, and room up to the next pair of cache lines.
const laneSize = xchacha.StateSize + percpu.CacheLine

// enter returns a lane, locked: the one that this processor used last, or if it is
// taken the next free one. It returns nil if the coffer is closed.
func (c *Coffer) enter() *lane {
	n := uint32(len(c.lanes))
	if n == 0 { // the zero value
		return nil
	}
	h := c.hints.Get()
	l := c.lanes[h.Index&(n-1)]
	if !l.mu.TryLock() {
		l = c.enterAny(h.Index)
		h.Index = l.number
	}
	c.hints.Put(h)
	if c.closed {
		l.mu.Unlock()
		return nil
	}
	return l
}

// enterAny returns a free lane behind the first, or waits for that one.
func (c *Coffer) enterAny(first uint32) *lane {
	n := uint32(len(c.lanes))
	for i := range n - 1 {
		if l := c.lanes[(first+1+i)&(n-1)]; l.mu.TryLock() {
			return l
		}
	}
	l := c.lanes[first&(n-1)]
	l.mu.Lock()
	return l
}
