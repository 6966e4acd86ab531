package coffer

import (
	"math/bits"
	"os"
	"sync"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/percpu"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// A workspace is working memory for one operation at a time. Workspaces lie far enough apart
// that operations on different processors share no cache line.
type workspace struct {
	mu      sync.Mutex     // protects what follows and, shared with all workspaces, the key
	state   *xchacha.State // zero while nobody holds mu; see clearWorkspaces
	number  uint32         // of the workspace; it does not change
	dirty   bool           // an operation ran since clearWorkspaces
	counter uint64         // of the next nonce; its first bits name the workspace
	nonce   *[xchacha.NonceSize]byte
	seals   uint64
	opens   uint64
	failed  uint64
	_       [percpu.CacheLine]byte
}

// workspaceBits of a counter name its workspace, so that workspaces count independently. The
// rest can't overflow: 2^56 seals at 100 ns each take two hundred years.
const workspaceBits = 8

// Each of the two regions starts with its share, followed by the states of every second
// workspace.
const shareArea = percpu.CacheLine

// fewestWorkspaces fit into two pages of 4 KiB beside the shares, so they cost nothing. An
// operation on 32 bytes takes about 250 ns.
const fewestWorkspaces = 8

// layOut puts shares and workspaces in two regions.
func (c *Coffer) layOut(pool *locked.Pool, processors int) error {
	// One workspace for each processor, as far as the budget and the counter's bits
	// allow.
	workspaces := percpu.Places(max(fewestWorkspaces, processors), 1<<workspaceBits)
	pageSize := os.Getpagesize()
	size := shareArea + workspaces/2*workspaceSize
	// If locked memory is scarce, use what one page of each region holds.
	if size > pageSize && pool.Stats().Budget < 64*size {
		size = pageSize
		workspaces = percpu.Places(workspaces, 1<<(bits.Len(uint(2*((pageSize-shareArea)/workspaceSize)))-1))
	}
	for range 2 {
		r, err := bridge.NewRegion(pool, size)
		if err != nil {
			return err
		}
		c.regions = append(c.regions, r)
	}
	left, right := c.regions[0].Bytes(), c.regions[1].Bytes()
	c.key = &xchacha.Shares{Left: (*[KeySize]byte)(left), Right: (*[KeySize]byte)(right), Domain: &domain}
	c.spare = (*[KeySize]byte)(right[shareArea/2:])
	for i := range workspaces {
		area := c.regions[i%2].Bytes()[shareArea+i/2*workspaceSize:][:workspaceSize]
		c.workspaces = append(c.workspaces, &workspace{
			number:  uint32(i),
			state:   xchacha.StateAt(area),
			nonce:   (*[xchacha.NonceSize]byte)(area[xchacha.StateSize:]),
			counter: uint64(i) << (64 - workspaceBits),
		})
	}
	return nil
}

// workspaceSize is a state, the nonce, and room up to the next pair of cache lines.
const workspaceSize = xchacha.StateSize + percpu.CacheLine

// enter locks and returns a workspace: the one that this processor used last, or else the
// next free one. It returns nil if the coffer is closed.
func (c *Coffer) enter() *workspace {
	n := uint32(len(c.workspaces))
	if n == 0 { // the zero value
		return nil
	}
	first := c.hints.Get()
	l := c.workspaces[first&(n-1)]
	if !l.mu.TryLock() {
		l = c.enterAny(first)
		c.hints.Change(first, l.number)
	}
	if c.closed {
		l.mu.Unlock()
		return nil
	}
	return l
}

// enterAny locks and returns a free workspace after the first, or waits for the first.
func (c *Coffer) enterAny(first uint32) *workspace {
	n := uint32(len(c.workspaces))
	for i := range n - 1 {
		if l := c.workspaces[(first+1+i)&(n-1)]; l.mu.TryLock() {
			return l
		}
	}
	l := c.workspaces[first&(n-1)]
	l.mu.Lock()
	return l
}
