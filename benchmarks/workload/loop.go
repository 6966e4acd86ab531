package workload

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A task is what one goroutine repeats. op is called with the number of the
// call; rest, if there is one, is called between batches, outside the timing.
type task struct {
	op   func(i int) error
	rest func() error
}

const (
	// batchTime is how often a goroutine looks at the clock: often enough to
	// end in time, too rarely to show.
	batchTime = 50 * time.Microsecond
	// maxBatch bounds what a task piles up before rest is called.
	maxBatch = 512
)

// warmUp is the part of a measurement's time that is spent before it.
const warmUp = 5

// crowdBatch is how many calls a goroutine makes before it lets others run, where
// there are more than crowded of them: so that each has its turn, many times.
// Of those that yield within each call, crowdRound is how many all of them make, at most,
// while each has one turn.
const (
	crowdBatch = 16
	crowded    = 64
	crowdRound = 160_000
)

// measure repeats the tasks, each in a goroutine of its own, for about r.For.
func measure(r Request, tasks []task) (Sample, error) {
	d := r.For
	batch, err := warm(d/warmUp, tasks)
	if err != nil {
		return Sample{}, err
	}
	if len(tasks) > crowded {
		batch = min(batch, crowdBatch)
		if r.Yield {
			batch = max(1, min(batch, crowdRound/len(tasks)))
		}
	}
	// What the setting-up left is collected before, not in between.
	runtime.GC()
	rest, err := keepAwake(r.Awake)
	if err != nil {
		return Sample{}, err
	}
	defer rest()
	runs := make([]run, len(tasks))
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	ready.Add(len(tasks))
	var start time.Time // set before begin is closed
	for i, t := range tasks {
		done.Go(func() {
			run := &runs[i]
			run.shares = len(tasks) > runtime.GOMAXPROCS(0)-r.Awake
			if r.Latency {
				run.histogram = newHistogram()
			}
			if len(tasks) > crowded {
				// One call grows its stack: in a large crowd each has few turns.
				run.err = t.op(0)
			}
			ready.Done()
			<-begin
			if run.err != nil {
				return
			}
			if r.Latency {
				run.each(t, start, d, batch)
			} else {
				run.all(t, start, d, batch)
			}
		})
	}
	ready.Wait()
	start = time.Now()
	close(begin)
	done.Wait()
	return collect(runs, time.Since(start), r.Latency)
}

// keepAwake keeps n threads busy until rest is called.
func keepAwake(n int) (rest func(), err error) {
	if n >= runtime.GOMAXPROCS(0) {
		return nil, fmt.Errorf("%d processors are too few for %d busy threads beside", runtime.GOMAXPROCS(0), n)
	}
	var enough atomic.Bool
	var awake, done sync.WaitGroup
	awake.Add(n)
	for range n {
		done.Go(func() {
			awake.Done()
			for !enough.Load() {
			}
		})
	}
	awake.Wait()
	return func() { enough.Store(true); done.Wait() }, nil
}

// warm runs every task for a while, one after the other, and returns how many
// calls fit into batchTime.
func warm(d time.Duration, tasks []task) (batch int, err error) {
	calls, spent := 0, time.Duration(0)
	each := d / time.Duration(len(tasks))
	for _, t := range tasks {
		r := run{}
		r.all(t, time.Now(), each, 1)
		if r.err != nil {
			return 0, r.err
		}
		calls += int(r.ops)
		spent += r.active
	}
	return max(1, min(maxBatch, int(batchTime*time.Duration(calls)/max(1, spent)))), nil
}

// A run is what one goroutine did.
type run struct {
	ops       int64
	active    time.Duration // within batches
	resting   time.Duration // between them
	shares    bool          // its processor with others, whom it lets run between batches
	histogram *hdrhistogram.Histogram
	err       error
	_         [64]byte
}

// all times whole batches, of which it makes at least one.
func (r *run) all(t task, begin time.Time, d time.Duration, batch int) {
	for i := 0; ; i += batch {
		before := time.Now()
		for j := range batch {
			if err := t.op(i + j); err != nil {
				r.err = err
				return
			}
		}
		after := time.Now()
		r.ops += int64(batch)
		r.active += after.Sub(before)
		if !r.restDone(t, after) || after.Sub(begin) > d {
			return
		}
		r.yield()
	}
}

// each times every call. What the clock takes, some 40 ns, is part of it.
func (r *run) each(t task, begin time.Time, d time.Duration, batch int) {
	for i := 0; ; i += batch {
		before := time.Now()
		start := before
		for j := range batch {
			if err := t.op(i + j); err != nil {
				r.err = err
				return
			}
			now := time.Now()
			_ = r.histogram.RecordValue(min(int64(now.Sub(before)), maxLatency)) // within its range
			before = now
		}
		r.ops += int64(batch)
		r.active += before.Sub(start)
		if !r.restDone(t, before) || before.Sub(begin) > d {
			return
		}
		r.yield()
	}
}

func (r *run) yield() {
	if r.shares {
		runtime.Gosched()
	}
}

// restDone runs the task's rest, and reports whether the task goes on.
func (r *run) restDone(t task, since time.Time) bool {
	if t.rest == nil {
		return true
	}
	r.err = t.rest()
	r.resting += time.Since(since)
	return r.err == nil
}

// Latencies are recorded to three digits, up to a minute.
const maxLatency = int64(time.Minute)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, maxLatency, 3) }

// collect adds the runs of all goroutines up. The time is the wall's, from the
// common start to the end of the last; with a single goroutine that rested it is
// what passed in between.
func collect(runs []run, wall time.Duration, latency bool) (Sample, error) {
	s := Sample{Elapsed: wall}
	all := newHistogram()
	for i := range runs {
		r := &runs[i]
		if r.err != nil {
			return Sample{}, r.err
		}
		s.Ops += r.ops
		if r.histogram != nil {
			all.Merge(r.histogram)
		}
	}
	if len(runs) == 1 {
		s.Elapsed = runs[0].active
	}
	if latency {
		var err error
		if s.Histogram, err = all.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err != nil {
			return Sample{}, err
		}
	}
	return s, nil
}
