package locked

import (
	"math"
	"testing"

	"github.com/memkeep/memkeep/internal/page"
)

func TestDataEndsAtThePagesEndWithTheCanaryBeforeIt(t *testing.T) {
	t.Parallel()
	for _, pageSize := range pageSizes {
		for _, size := range []int{1, 15, 16, 32, pageSize - 17, pageSize - 16, pageSize - 15, pageSize, pageSize + 1, 1 << 20} {
			checkLayout(t, size, pageSize)
		}
	}
}

func FuzzLayout(f *testing.F) {
	f.Add(32, 12)
	f.Add(4080, 12)
	f.Add(maxSize, 16)
	f.Fuzz(func(t *testing.T, size, pageShift int) {
		if size <= 0 || size > maxSize || pageShift < 12 || pageShift > 16 {
			t.Skip()
		}
		checkLayout(t, size, 1<<pageShift)
	})
}

func checkLayout(t *testing.T, size, pageSize int) {
	t.Helper()
	l := layoutOf(size, pageSize)
	if l.data+size != l.pages*pageSize {
		t.Errorf("%d bytes in pages of %d: the data ends at %d of %d", size, pageSize, l.data+size, l.pages*pageSize)
	}
	if l.canary < 0 || l.canary+CanarySize != l.data {
		t.Errorf("%d bytes in pages of %d: the canary is at %d, the data at %d", size, pageSize, l.canary, l.data)
	}
	if l.canary >= pageSize {
		t.Errorf("%d bytes in pages of %d: a page of padding alone", size, pageSize)
	}
}

func TestBudgetIsWithinTheLimitAndInWholePages(t *testing.T) {
	t.Parallel()
	const unlimited = page.Unlimited
	for _, c := range []struct {
		name     string
		want     int
		limits   page.Limits
		pageSize int
		budget   int
	}{
		{"unlimited", 8 << 20, page.Limits{Soft: unlimited, Hard: unlimited}, 4096, 8 << 20},
		{"exempt from a limit", 8 << 20, page.Limits{Soft: 64 << 10, Hard: 64 << 10, Exempt: true}, 4096, 8 << 20},
		{"docker's 64 KiB", 8 << 20, page.Limits{Soft: 64 << 10, Hard: 64 << 10}, 4096, 64 << 10},
		{"64 KiB in pages of 64 KiB", 8 << 20, page.Limits{Soft: 64 << 10, Hard: 64 << 10}, 64 << 10, 64 << 10},
		{"64 KiB in pages of 16 KiB", 8 << 20, page.Limits{Soft: 64 << 10, Hard: 64 << 10}, 16 << 10, 64 << 10},
		{"less than a page of 64 KiB", 8 << 20, page.Limits{Soft: 64<<10 - 1, Hard: 64<<10 - 1}, 64 << 10, 0},
		{"systemd's 8 MiB in pages of 64 KiB", 16 << 20, page.Limits{Soft: 8 << 20, Hard: 8 << 20}, 64 << 10, 8 << 20},
		{"no whole number of pages of 64 KiB", 8 << 20, page.Limits{Soft: 100_000, Hard: 100_000}, 64 << 10, 64 << 10},
		{"less than a page", 8 << 20, page.Limits{Soft: 4095, Hard: 4095}, 4096, 0},
		{"nothing", 8 << 20, page.Limits{}, 4096, 0},
		{"no whole number of pages", 10000, page.Limits{Soft: unlimited, Hard: unlimited}, 4096, 8192},
		{"less than the limit", 16 << 10, page.Limits{Soft: 64 << 10, Hard: 64 << 10}, 4096, 16 << 10},
	} {
		if got := budgetWithin(c.want, c.limits.InReach(), c.pageSize); got != c.budget {
			t.Errorf("%s: a budget of %d, want %d", c.name, got, c.budget)
		}
	}
}

// fakeBackend charges like a real one and maps nothing.
type fakeBackend struct {
	page.Backend
	double bool
}

func (f fakeBackend) Charge(size int, dual bool) int {
	if dual && f.double {
		return 2 * size
	}
	return size
}

func TestPlanLeavesBuffersTheLargerPartOfEveryBudget(t *testing.T) {
	t.Parallel()
	for _, double := range []bool{true, false} {
		for i := range 3 * 4096 {
			pages, pageSize := i/len(pageSizes)+1, pageSizes[i%len(pageSizes)]
			p := makePool(fakeBackend{double: double}, pageSize, pages*pageSize, Config{UseSlots: 9})
			if p.store.size[kept] < 1 {
				t.Fatalf("%d pages of %d bytes: nothing is kept for Use", pages, pageSize)
			}
			if kept := p.KeptBytes(); pages > 2 && kept > p.store.total/2 {
				t.Fatalf("%d pages of %d bytes, charged twice: %v: %d of %d bytes are kept for Use", pages, pageSize, double, kept, p.store.total)
			}
			if want := p.store.minimum(); pages > 2 && want > p.store.total {
				t.Fatalf("%d pages of %d bytes, charged twice: %v: %d bytes are needed", pages, pageSize, double, want)
			}
		}
	}
	if got := math.MaxInt / 2; maxSize > got {
		t.Errorf("a sum of two sizes may overflow")
	}
}
