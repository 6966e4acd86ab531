package workload

import (
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/memkeep/memkeep/benchmarks/contenders"
)

// A population is many secrets of one store, each of some bytes.
type population struct {
	store   contenders.Store
	worker  contenders.Worker
	secrets []contenders.Secret
	size    int
	plans   map[Op][][]step // made when first needed
	purged  bool
}

func randomBytes(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // fills its argument or ends the program
	return b
}

// populate seals r.Secrets secrets. If it fails, or takes longer than r.For, the
// sample says how far it came; tell is told on the way.
func populate(c *contenders.Contender, store contenders.Store, r Request, tell func(Sample)) (*population, Sample) {
	w, err := store.Worker(r.Size)
	if err != nil {
		return nil, Sample{Error: err.Error()}
	}
	p := &population{store: store, worker: w, size: r.Size, secrets: make([]contenders.Secret, r.Secrets), plans: map[Op][][]step{}}
	source, secret := randomBytes(r.Size), make([]byte, r.Size)
	before := takeFootprint()
	n, began := 0, time.Now()
	for ; n < r.Secrets && err == nil; n++ {
		copy(secret, source)
		p.secrets[n], err = w.Seal(secret)
		if n%1024 == 1023 && err == nil {
			tell(Sample{Ops: int64(n + 1), Elapsed: time.Since(began), Unfinished: true, Footprint: halfway(n + 1)})
			err = withinReason(began, r.For)
		}
	}
	s := Sample{Ops: int64(n), Elapsed: time.Since(began)}
	if err != nil {
		if p.secrets[n-1] == nil { // else it was not sealing that ended it
			n--
		}
		s.Error = fmt.Sprintf("after %d of %d secrets: %v", n, r.Secrets, err)
		p.secrets = p.secrets[:n]
	}
	s.Footprint = takeFootprint().minus(before, len(p.secrets))
	if err := errors.Join(p.openAtOnce(c.Ways), checkLocked(c, len(p.secrets), 0)); err != nil && s.Error == "" {
		s.Error = err.Error()
	}
	readProcess(s.Footprint)
	runtime.KeepAlive(p)
	return p, s
}

// openAtOnce has a secret open on each processor, all at the same time: so what
// a store locks does not depend on who happened to meet.
func (p *population) openAtOnce(ways []contenders.Way) error {
	n := min(runtime.GOMAXPROCS(0), len(p.secrets))
	for _, way := range ways {
		var inside, done sync.WaitGroup
		inside.Add(n)
		errs := make([]error, n)
		for i := range n {
			done.Go(func() {
				errs[i] = p.openWith(way, p.secrets[i], &inside)
			})
		}
		done.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// openWith keeps the secret open until all others are, or have failed.
func (p *population) openWith(way contenders.Way, s contenders.Secret, inside *sync.WaitGroup) error {
	arrive := sync.OnceFunc(inside.Done)
	defer arrive()
	w, err := p.store.Worker(p.size)
	if err != nil {
		return err
	}
	err = contenders.Do(w, way, s, func([]byte) error {
		arrive()
		inside.Wait()
		return nil
	})
	return errors.Join(err, w.Close())
}

// withinReason ends a population that takes too long or would take the
// machine's memory.
func withinReason(began time.Time, limit time.Duration) error {
	if took := time.Since(began); took > limit {
		return fmt.Errorf("stopped: not done after %v", limit)
	}
	if available, total := memoryAvailable(); total > 0 && available < total/5 {
		return fmt.Errorf("stopped: %d of %d MiB of the machine's memory are left", available>>20, total>>20)
	}
	return nil
}

func (p *population) close() error {
	var errs []error
	for _, s := range p.secrets {
		if s != nil {
			errs = append(errs, p.worker.Free(s))
		}
	}
	return errors.Join(append(errs, p.worker.Close())...)
}

// A step is one operation on one secret: 32 bits, so that the plan stays out of
// the contenders' way in the caches.
type step uint32

const (
	stepUse step = iota << 30
	stepOpen
	stepSeal
	stepKind  = step(3) << 30
	planSteps = 1 << 18
)

// zipfExponent is how uneven the choice of keys is: with 1.1, of a million keys
// the first hundred get half of all requests.
const zipfExponent = 1.1

// plan returns the steps of each goroutine, made before anything is timed. Each
// goroutine has every so-manieth secret to itself, since not all contenders let
// one be replaced while another opens it.
func (p *population) plan(op Op, goroutines int) [][]step {
	if plans, ok := p.plans[op]; ok && len(plans) == goroutines {
		return plans
	}
	plans := make([][]step, goroutines)
	for g := range plans {
		random := mrand.New(mrand.NewPCG(uint64(g), 1))
		choose := p.chooser(op, random, g, goroutines)
		plans[g] = make([]step, planSteps)
		for i := range plans[g] {
			plans[g][i] = step(choose())
			if op == OpMix {
				plans[g][i] |= kindOf(random.IntN(100))
			}
		}
	}
	p.plans[op] = plans
	return plans
}

func kindOf(percent int) step {
	switch {
	case percent == 0:
		return stepSeal
	case percent < 10:
		return stepOpen
	}
	return stepUse
}

// chooser returns the choice of a secret for one goroutine.
func (p *population) chooser(op Op, random *mrand.Rand, g, goroutines int) func() int {
	own := max(1, len(p.secrets)/goroutines)
	at := func(i int) int { return (i*goroutines + g) % len(p.secrets) }
	switch op {
	case OpMix:
		// Popular keys are not those that were sealed first: a factor without
		// common divisors spreads them.
		zipf := mrand.NewZipf(random, zipfExponent, 1, uint64(own-1))
		return func() int { return at(int(zipf.Uint64()*2654435761) % own) }
	case OpHot:
		hot := min(1000, own)
		return func() int { return at(random.IntN(hot) * (own / hot)) }
	}
	return func() int { return at(random.IntN(own)) }
}

// many measures steps over the population.
func (p *population) many(r Request) (s Sample, err error) {
	if len(p.secrets) == 0 {
		return Sample{}, errors.New("there are no secrets")
	}
	var tasks []task
	for _, plan := range p.plan(r.Op, max(1, r.Goroutines)) {
		w, errW := p.store.Worker(p.size)
		if errW != nil {
			return Sample{}, errW
		}
		defer func() { err = errors.Join(err, w.Close()) }()
		tasks = append(tasks, p.walk(w, plan, r.Way))
	}
	return measure(r, tasks)
}

// walk follows a plan, from where it was left the last time.
func (p *population) walk(w contenders.Worker, plan []step, way contenders.Way) task {
	source, secret, t := randomBytes(p.size), make([]byte, p.size), new(touch)
	use, next := opener(w, way), 0
	return task{op: func(int) error {
		s := plan[next%planSteps]
		next++
		at := s &^ stepKind
		switch s & stepKind {
		case stepOpen:
			return w.Open(p.secrets[at], t.read)
		case stepSeal:
			if err := w.Free(p.secrets[at]); err != nil {
				return err
			}
			copy(secret, source)
			var err error
			p.secrets[at], err = w.Seal(secret)
			return err
		}
		return use(p.secrets[at], t.read)
	}}
}

// purge makes the secrets unreadable, and checks that they are.
func (p *population) purge(c *contenders.Contender) (Sample, error) {
	purger, ok := p.store.(contenders.Purger)
	if !ok {
		return Sample{}, errNoPurge
	}
	// What was encrypted is there as before, and the next purge does the same
	// again. What was not is gone.
	if p.purged && !c.Promises.Encrypted {
		if err := p.reseal(); err != nil {
			return Sample{}, err
		}
	}
	p.purged = true
	runtime.GC()
	began := time.Now()
	if err := purger.Purge(); err != nil {
		return Sample{}, err
	}
	s := Sample{Ops: 1, Elapsed: time.Since(began)}
	for _, secret := range []contenders.Secret{p.secrets[0], p.secrets[len(p.secrets)-1]} {
		if err := contenders.Do(p.worker, c.Ways[0], secret, new(touch).read); err == nil {
			return Sample{}, errors.New("a secret opens after the purge")
		}
	}
	return s, nil
}

// reseal replaces every secret.
func (p *population) reseal() error {
	for i, old := range p.secrets {
		if err := p.worker.Free(old); err != nil {
			return err
		}
		var err error
		if p.secrets[i], err = p.worker.Seal(randomBytes(p.size)); err != nil {
			return err
		}
	}
	return nil
}

var errNoPurge = errors.New("has no purge: its secrets are closed one by one")
