package locked

import (
	"context"
	"errors"
	"testing"

	"github.com/memkeep/memkeep/internal/page"
)

// pageSizes are those of the kernels there are: amd64 has the first, arm64 all of
// them, ppc64le mostly the last.
var pageSizes = []int{4 << 10, 16 << 10, 64 << 10}

// heapPages is a backend of plain memory that counts like a real one: pages of
// any size on any machine.
type heapPages struct{ fakeBackend }

func (heapPages) Name() string { return "heap" }

func (heapPages) Map(size int, dual bool) (*page.Run, error) {
	pages := make([]byte, size)
	return &page.Run{Window: pages, View: pages, Dual: dual}, nil
}

func (heapPages) Protect(*page.Run, page.Access) error { return nil }

func (heapPages) Unmap(*page.Run) error { return nil }

// poolOfPages returns a pool as a process gets it whose pages are of the size and
// that may lock limit bytes, and what it needs at least.
func poolOfPages(t *testing.T, double bool, pageSize, limit, useSlots int) (p *Pool, minimum int) {
	t.Helper()
	total := budgetWithin(DefaultLockedBytes, uint64(limit), pageSize)
	p = makePool(heapPages{fakeBackend{double: double}}, pageSize, total, Config{UseSlots: useSlots})
	p.store.cut = true
	t.Cleanup(func() {
		if err := p.Close(); err != nil || p.store.locked != 0 {
			t.Errorf("Close: %v, %d bytes still count", err, p.store.locked)
		}
		p.checkInvariants(t)
	})
	return p, p.store.minimum()
}

// What a container may lock holds sixteen pages, four, or one: where it does not
// hold what is promised, the pool must know that before anybody waits.
func TestLimitOf64KiBServesOrIsTooSmallWhateverThePageSize(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	for _, double := range []bool{true, false} {
		for _, pageSize := range pageSizes {
			p, minimum := poolOfPages(t, double, pageSize, limit, 2)
			if p.store.total != limit {
				t.Errorf("pages of %d: a budget of %d", pageSize, p.store.total)
			}
			if pageSize == limit {
				if minimum != 2*pageSize {
					t.Errorf("pages of %d: %d bytes are enough for Use and a buffer", pageSize, minimum)
				}
				continue
			}
			if minimum > limit {
				t.Errorf("pages of %d: %d bytes are needed", pageSize, minimum)
			}
			var open []*Buffer
			b, err := p.New(32)
			for ; err == nil; b, err = p.New(32) {
				open = append(open, b)
			}
			if !errors.Is(err, ErrExhausted) || len(open) < limit/pageSize/2 || p.store.locked > p.store.total {
				t.Errorf("pages of %d: %d buffers of one page in %d bytes, then %v", pageSize, len(open), p.store.locked, err)
			}
			used := false
			nothing := func([]byte) error { return nil }
			err = p.Use(t.Context(), 32, nothing, func([]byte) error { used = true; return nil })
			if err != nil || !used {
				t.Errorf("pages of %d: Use beside %d buffers: %v", pageSize, len(open), err)
			}
			for _, b := range open {
				if err := b.Destroy(); err != nil {
					t.Error(err)
				}
			}
			largest := p.Stats().LargestSecret
			if b, err := p.New(largest + 1); !isLimit(err, p.store.total) {
				t.Errorf("pages of %d: a secret of %d bytes can be held: %v, %v", pageSize, largest+1, b, err)
			}
			if b, err := p.New(largest); err != nil {
				t.Errorf("pages of %d: a secret of %d bytes can't be held: %v", pageSize, largest, err)
			} else if err := b.Destroy(); err != nil {
				t.Error(err)
			}
		}
	}
}

func isLimit(err error, budget int) bool {
	var limit *LimitError
	return errors.As(err, &limit) && limit.Budget == budget && limit.Requested > 0
}

// A budget of one page and nothing kept for Use: one buffer or one Use at a time.
func TestPoolOfOnePageServesOneAtATimeWhateverThePageSize(t *testing.T) {
	t.Parallel()
	nothing := func([]byte) error { return nil }
	for _, double := range []bool{true, false} {
		for _, pageSize := range pageSizes {
			p, minimum := poolOfPages(t, double, pageSize, pageSize, 0)
			if minimum != pageSize {
				t.Fatalf("pages of %d: %d bytes are needed for a buffer", pageSize, minimum)
			}
			b, err := p.New(pageSize - CanarySize)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.New(1); !errors.Is(err, ErrExhausted) {
				t.Errorf("pages of %d: a second buffer: %v", pageSize, err)
			}
			var limit *LimitError
			if _, err := p.New(pageSize - CanarySize + 1); !errors.As(err, &limit) || limit.Requested != 2*pageSize {
				t.Errorf("pages of %d: a buffer of two pages: %v", pageSize, err)
			}
			over, cancel := context.WithCancel(t.Context())
			cancel()
			if err := p.Use(over, 1, nothing, nothing); !errors.Is(err, context.Canceled) {
				t.Errorf("pages of %d: Use while the page is taken: %v", pageSize, err)
			}
			if err := b.Destroy(); err != nil {
				t.Fatal(err)
			}
			if err := p.Use(t.Context(), 1, nothing, nothing); err != nil {
				t.Errorf("pages of %d: Use of the page that came back: %v", pageSize, err)
			}
			if p.store.peak > pageSize {
				t.Errorf("pages of %d: %d bytes at once", pageSize, p.store.peak)
			}
		}
	}
}
