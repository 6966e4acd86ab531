package coffer

import (
	"math/bits"
	"os"
	"runtime"
	"sync"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/percpu"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// A station is working memory for one operation at a time. Stations lie far enough apart
// that operations on different processors share no cache line.
type station struct {
	mu      sync.Mutex     // protects what follows and, shared with all stations, the key
	state   *xchacha.State // zero while nobody holds mu; see clearStations
	number  uint32         // of the station; it does not change
	dirty   bool           // an operation ran since clearStations
	counter uint64         // of the next nonce; its first bits name the station
	nonce   *[xchacha.NonceSize]byte
	seals   uint64
	opens   uint64
	failed  uint64
	_       [percpu.CacheLine]byte
}

// stationBits of a counter name its station, so that stations count independently. The
// rest can't overflow: 2^56 seals at 100 ns each take two hundred years.
const stationBits = 8

// Each of the two regions starts with its share, followed by the states of every second
// station.
const shareArea = percpu.CacheLine

// fewestStations fit into two pages of 4 KiB beside the shares, so they cost nothing. An
// operation on 32 bytes takes about 250 ns.
const fewestStations = 8

// layOut puts shares and stations in two regions.
func (c *Coffer) layOut(pool *locked.Pool) error {
	// One station for each processor, as far as the budget and the counter's bits
	// allow. GOMAXPROCS may change later, the number of processors does not.
	stations := percpu.Places(max(fewestStations, runtime.NumCPU()), 1<<stationBits)
	pageSize := os.Getpagesize()
	size := shareArea + stations/2*stationSize
	// If locked memory is scarce, use what one page of each region holds.
	if size > pageSize && pool.Stats().Budget < 64*size {
		size = pageSize
		stations = percpu.Places(stations, 1<<(bits.Len(uint(2*((pageSize-shareArea)/stationSize)))-1))
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
	for i := range stations {
		area := c.regions[i%2].Bytes()[shareArea+i/2*stationSize:][:stationSize]
		c.stations = append(c.stations, &station{
			number:  uint32(i),
			state:   xchacha.StateAt(area),
			nonce:   (*[xchacha.NonceSize]byte)(area[xchacha.StateSize:]),
			counter: uint64(i) << (64 - stationBits),
		})
	}
	return nil
}

// stationSize is a state, the nonce, and room up to the next pair of cache lines.
const stationSize = xchacha.StateSize + percpu.CacheLine

// enter locks and returns a station: the one that this processor used last, or else the
// next free one. It returns nil if the coffer is closed.
func (c *Coffer) enter() *station {
	n := uint32(len(c.stations))
	if n == 0 { // the zero value
		return nil
	}
	h := c.hints.Get()
	l := c.stations[h.Index&(n-1)]
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

// enterAny locks and returns a free station after the first, or waits for the first.
func (c *Coffer) enterAny(first uint32) *station {
	n := uint32(len(c.stations))
	for i := range n - 1 {
		if l := c.stations[(first+1+i)&(n-1)]; l.mu.TryLock() {
			return l
		}
	}
	l := c.stations[first&(n-1)]
	l.mu.Lock()
	return l
}
