package workload

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/memkeep/memkeep/benchmarks/contenders"
)

// What a process is told by its environment to be.
const (
	// EnvContender names the contender; Nobody for none.
	EnvContender = "MEMKEEP_BENCHMARK_CONTENDER"
	// EnvFirst asks for one secret to be sealed and opened, and nothing more.
	EnvFirst = "MEMKEEP_BENCHMARK_FIRST"
	// EnvLimit is the limit on locked memory to run under, in bytes.
	EnvLimit = "MEMKEEP_BENCHMARK_LIMIT"

	// Nobody is the contender that does nothing: what a process costs.
	Nobody = "nobody"
)

// Child runs the process as a child, if it is one, and then does not return.
// The program and its tests call it before anything else.
func Child() {
	name := os.Getenv(EnvContender)
	if name == "" {
		return
	}
	if err := runChild(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runChild(name string) error {
	if err := lowerLimit(); err != nil {
		return fmt.Errorf("lowering the limit: %w", err)
	}
	if os.Getenv(EnvFirst) != "" {
		return first(name)
	}
	c, err := contenders.Find(name)
	if err != nil {
		return err
	}
	child := &child{contender: c}
	return errors.Join(child.serve(os.Stdin, os.Stdout), child.close())
}

// first opens one secret and says so.
func first(name string) error {
	if name != Nobody {
		c, err := contenders.Find(name)
		if err != nil {
			return err
		}
		store, err := c.Start()
		if err != nil {
			return err
		}
		w, err := store.Worker(32)
		if err != nil {
			return err
		}
		s, err := w.Seal([]byte("a secret of no more than 32 byte"))
		if err != nil {
			return err
		}
		if err := contenders.Do(w, c.Ways[0], s, new(touch).read); err != nil {
			return err
		}
	}
	_, err := os.Stdout.WriteString("{}\n")
	return err
}

// A child answers requests with samples.
type child struct {
	contender  *contenders.Contender
	store      contenders.Store // made with the first request
	population *population
	answers    *json.Encoder
}

func (c *child) serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	c.answers = json.NewEncoder(out)
	for lines.Scan() {
		var r Request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return err
		}
		s, err := c.do(r)
		if err != nil {
			s.Error = err.Error()
		}
		if err := c.answers.Encode(s); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (c *child) do(r Request) (Sample, error) {
	if c.store == nil {
		store, err := c.contender.Start()
		if err != nil {
			return Sample{}, err
		}
		c.store = store
	}
	switch r.Op {
	case OpCheck:
		return c.check(r)
	case OpOpen:
		return open(c.contender, c.store, r)
	case OpSeal:
		return seal(c.store, r)
	case OpPopulate:
		var s Sample
		c.population, s = populate(c.contender, c.store, r, func(s Sample) { _ = c.answers.Encode(s) }) // the last one counts
		return s, nil
	}
	if c.population == nil {
		return Sample{}, errors.New("there is no population")
	}
	if r.Op == OpPurge {
		return c.population.purge(c.contender)
	}
	return c.population.many(r)
}

// check notes the backend, where the contender chooses one.
func (c *child) check(r Request) (s Sample, err error) {
	for _, size := range r.Sizes {
		if err := contenders.Check(c.contender, c.store, size); err != nil {
			return Sample{}, err
		}
	}
	if err := contenders.CheckPurge(c.contender, c.store, 32); err != nil {
		return Sample{}, err
	}
	if b, ok := c.store.(interface{ Backend() string }); ok {
		s.Note = b.Backend()
	}
	return s, nil
}

func (c *child) close() error {
	var err error
	if c.population != nil {
		err = c.population.close()
	}
	if c.store != nil {
		err = errors.Join(err, c.store.Close())
	}
	return err
}
