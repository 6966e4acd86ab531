package workload

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/memkeep/memkeep/benchmarks/contenders"
)

func bareStore(t *testing.T) (*contenders.Contender, contenders.Store) {
	t.Helper()
	c, err := contenders.Find(contenders.Bare)
	if err != nil {
		t.Fatal(err)
	}
	store, err := c.Start()
	if err != nil {
		t.Fatal(err)
	}
	return c, store
}

func silently(Sample) {}

func TestEveryCallThatIsCountedWasMade(t *testing.T) {
	var calls [3]int64
	var tasks []task
	for i := range calls {
		tasks = append(tasks, task{op: func(int) error { calls[i]++; return nil }})
	}
	s, err := measure(Request{For: 5 * time.Millisecond}, tasks)
	if err != nil {
		t.Fatal(err)
	}
	made := calls[0] + calls[1] + calls[2]
	if s.Ops == 0 || s.Ops > made {
		t.Errorf("%d operations in a sample, %d calls in all", s.Ops, made)
	}
	if s.Elapsed < 5*time.Millisecond {
		t.Errorf("measured for %v", s.Elapsed)
	}
}

func TestWhatIsDoneBetweenBatchesIsNotTimed(t *testing.T) {
	measured := func() (timed, rested time.Duration) {
		piled := 0
		s, err := measure(Request{For: 5 * time.Millisecond}, []task{{
			op: func(int) error { piled++; return nil },
			rest: func() error {
				if piled > maxBatch {
					t.Errorf("%d calls before a rest, at most %d", piled, maxBatch)
				}
				piled = 0
				for began := time.Now(); time.Since(began) < 100*time.Microsecond; {
				}
				rested += 100 * time.Microsecond
				return nil
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s.Elapsed, rested
	}
	// A batch of 512 calls that do nothing takes far less than its rest, unless it is
	// interrupted.
	var timed, rested time.Duration
	for range 20 {
		if timed, rested = measured(); timed <= rested {
			return
		}
	}
	t.Errorf("%v timed, although %v went by between batches", timed, rested)
}

func TestAnErrorEndsAMeasurement(t *testing.T) {
	errOwn := errors.New("own")
	calls := 0
	if _, err := measure(Request{For: time.Hour}, []task{{op: func(int) error {
		if calls++; calls > 1000 {
			return errOwn
		}
		return nil
	}}}); !errors.Is(err, errOwn) {
		t.Errorf("ends with %v", err)
	}
}

func TestLatenciesAreThoseOfEveryCall(t *testing.T) {
	c, store := bareStore(t)
	s, err := open(c, store, Request{Op: OpOpen, Way: contenders.Use, Size: 32, Goroutines: 2, Latency: true, For: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hdrhistogram.Decode(s.Histogram)
	if err != nil {
		t.Fatal(err)
	}
	if h.TotalCount() != s.Ops || h.ValueAtPercentile(50) <= 0 {
		t.Errorf("%d latencies of %d calls, the median %d ns", h.TotalCount(), s.Ops, h.ValueAtPercentile(50))
	}
}

func TestTheMixIsWhatItSays(t *testing.T) {
	c, store := bareStore(t)
	const secrets, goroutines = 10_000, 4
	p, s := populate(c, store, Request{Size: 32, Secrets: secrets, For: time.Hour}, silently)
	if s.Error != "" {
		t.Fatal(s.Error)
	}
	for g, plan := range p.plan(OpMix, goroutines) {
		kinds, popular := map[step]int{}, map[step]int{}
		for _, s := range plan {
			kinds[s&stepKind]++
			at := s &^ stepKind
			popular[at]++
			if int(at) >= secrets || int(at)%goroutines != g {
				t.Fatalf("goroutine %d of %d opens secret %d of %d", g, goroutines, at, secrets)
			}
		}
		for kind, percent := range map[step]float64{stepUse: 90, stepOpen: 9, stepSeal: 1} {
			if got := 100 * float64(kinds[kind]) / planSteps; got < 0.9*percent || got > 1.1*percent {
				t.Errorf("%.2f%% of kind %d, want %v%%", got, kind>>30, percent)
			}
		}
		// Zipf: the first hundred of 2,500 keys get most requests, the rest some.
		var counts []int
		for _, n := range popular {
			counts = append(counts, n)
		}
		slices.SortFunc(counts, func(a, b int) int { return b - a })
		first := 0
		for _, n := range counts[:100] {
			first += n
		}
		if share := float64(first) / planSteps; share < 0.6 || share > 0.85 || len(counts) < 2000 {
			t.Errorf("the first 100 of %d keys get %.2f of all requests", len(counts), share)
		}
	}
	if _, err := p.many(Request{Op: OpMix, Goroutines: goroutines, For: 5 * time.Millisecond}); err != nil {
		t.Error(err)
	}
}

func TestHotSecretsAreSpreadOverAllOfThem(t *testing.T) {
	c, store := bareStore(t)
	p, _ := populate(c, store, Request{Size: 32, Secrets: 50_000, For: time.Hour}, silently)
	seen := map[step]bool{}
	for _, s := range p.plan(OpHot, 1)[0] {
		seen[s] = true
	}
	if len(seen) != 1000 || !seen[0] || !seen[49_950] {
		t.Errorf("%d different secrets, the first: %v, the last: %v", len(seen), seen[0], seen[49_950])
	}
	all := map[step]bool{}
	for _, s := range p.plan(OpAny, 1)[0] {
		all[s] = true
	}
	if len(all) < 45_000 {
		t.Errorf("any secret is one of %d", len(all))
	}
}

func TestAPopulationSaysHowFarItCame(t *testing.T) {
	c, store := bareStore(t)
	told := 0
	p, s := populate(c, store, Request{Size: 32, Secrets: 4096, For: time.Nanosecond}, func(s Sample) {
		told++
		if !s.Unfinished || s.Footprint.Secrets != 1024 {
			t.Errorf("tells %+v", s)
		}
	})
	if !strings.Contains(s.Error, "after 1024 of") || s.Footprint.Secrets != 1024 || len(p.secrets) != 1024 || told != 1 {
		t.Errorf("%q, %d secrets, told %d times", s.Error, len(p.secrets), told)
	}
}

func TestAPurgeThatLeavesASecretIsAnError(t *testing.T) {
	c, store := bareStore(t)
	p, _ := populate(c, lastingStore{store}, Request{Size: 32, Secrets: 10, For: time.Hour}, silently)
	if _, err := p.purge(c); err == nil || !strings.Contains(err.Error(), "opens after the purge") {
		t.Errorf("found %v", err)
	}
	p.store = store
	if _, err := p.purge(c); !errors.Is(err, errNoPurge) {
		t.Errorf("found %v", err)
	}
}

func TestAPurgeIsTimedOnSecretsThatAreThere(t *testing.T) {
	c, err := contenders.Find(contenders.NeverEncrypted)
	if err != nil {
		t.Fatal(err)
	}
	store, err := c.Start()
	if err != nil {
		t.Fatal(err)
	}
	p, s := populate(c, store, Request{Size: 32, Secrets: 4, For: time.Hour}, silently)
	if s.Error != "" {
		t.Fatal(s.Error)
	}
	w, err := store.Worker(32)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := p.purge(c); err != nil {
			t.Fatal(err)
		}
		if err := w.Use(p.secrets[0], func([]byte) error { return nil }); err == nil {
			t.Error("opens after a purge")
		}
	}
	if err := p.reseal(); err != nil {
		t.Fatal(err)
	}
	if err := w.Use(p.secrets[0], func([]byte) error { return nil }); err != nil {
		t.Errorf("sealed anew: %v", err)
	}
	if err := errors.Join(p.close(), store.Close()); err != nil {
		t.Error(err)
	}
}

// The bare cipher locks nothing, whatever it says here.
func TestAContenderThatGoesOnUnlockedIsFound(t *testing.T) {
	c, store := bareStore(t)
	if f := takeFootprint(); f.Locked < 0 {
		t.Skip("SKIPPED: this system does not say what is locked")
	}
	c.Promises.Locks = contenders.LocksSecrets
	if _, s := populate(c, store, Request{Size: 32, Secrets: 100_000, For: time.Hour}, silently); !strings.Contains(s.Error, "goes on unlocked") {
		t.Errorf("100,000 secrets: %q", s.Error)
	}
	c.Promises.Locks = contenders.LocksWorkers
	_, err := open(c, store, Request{Op: OpOpen, Size: 32, Goroutines: 1000, For: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "goes on unlocked") {
		t.Errorf("1,000 workers: %v", err)
	}
}

type lastingStore struct{ contenders.Store }

func (lastingStore) Purge() error { return nil }

func TestTheFootprintCountsTheSecretsAlone(t *testing.T) {
	c, store := bareStore(t)
	const n = 100_000
	p, s := populate(c, store, Request{Size: 32, Secrets: n, For: time.Hour}, silently)
	// 24 bytes of slice, 8 + 32 + 16 of ciphertext in a size class of 64.
	if each := float64(s.Footprint.Heap) / n; each < 87 || each > 92 {
		t.Errorf("%.1f bytes for each secret, want 88", each)
	}
	if each := float64(s.Footprint.Objects) / n; each < 1.99 || each > 2.05 {
		t.Errorf("%.2f allocations for each secret, want 2", each)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}
