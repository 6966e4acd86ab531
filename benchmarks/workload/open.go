package workload

import (
	"errors"

	"github.com/memkeep/memkeep/benchmarks/contenders"
)

// open measures opening, touching and closing. Each goroutine has a secret of
// its own: with a common one, contenders that lock it would wait for each
// other.
func open(c *contenders.Contender, store contenders.Store, r Request) (s Sample, err error) {
	var tasks []task
	for range max(1, r.Goroutines) {
		w, errW := store.Worker(r.Size)
		if errW != nil {
			return Sample{}, errW
		}
		secret, errS := w.Seal(randomBytes(r.Size))
		if errS != nil {
			return Sample{}, errors.Join(errS, w.Close())
		}
		defer func() { err = errors.Join(err, w.Free(secret), w.Close()) }()
		use, t := opener(w, r.Way), new(touch)
		read := t.read
		if r.Yield {
			read = t.readAndYield
		}
		tasks = append(tasks, task{op: func(int) error { return use(secret, read) }})
	}
	if err := checkLocked(c, len(tasks), len(tasks)); err != nil {
		return Sample{}, err
	}
	return measure(r, tasks)
}

func opener(w contenders.Worker, way contenders.Way) func(contenders.Secret, func([]byte) error) error {
	if way == contenders.Open {
		return w.Open
	}
	return w.Use
}

// seal measures sealing. The copy of the source, which is wiped by those that
// wipe, is part of it for all. What was sealed is freed between batches, outside
// the timing.
func seal(store contenders.Store, r Request) (Sample, error) {
	w, err := store.Worker(r.Size)
	if err != nil {
		return Sample{}, err
	}
	source, secret := randomBytes(r.Size), make([]byte, r.Size)
	sealed := make([]contenders.Secret, 0, maxBatch)
	t := task{
		op: func(int) error {
			copy(secret, source)
			s, err := w.Seal(secret)
			sealed = append(sealed, s)
			return err
		},
		rest: func() error {
			for _, s := range sealed {
				if err := w.Free(s); err != nil {
					return err
				}
			}
			clear(sealed)
			sealed = sealed[:0]
			return nil
		},
	}
	sample, err := measure(r, []task{t})
	return sample, errors.Join(err, w.Close())
}
