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
	child := &child{contender: c, stores: map[string]contenders.Store{}}
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
	stores     map[string]contenders.Store // each made with its first request
	population *population
	growth     *growth // or what grows in its place
	signers    signers
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

func (c *child) do(r Request) (s Sample, err error) {
	switch r.Op {
	case OpCipherOpen, OpCipherSeal:
		return cipherOnly(r)
	case OpSign, OpHandshake:
		if c.signers == nil {
			c.signers = make(signers)
		}
		return c.signers.measure(r)
	}
	if r.Holder != "" && r.Op == OpPopulate {
		c.growth, s, err = grow(r)
		return s, err
	}
	if c.growth != nil {
		return c.growth.do(r)
	}
	who, store, err := c.storeOf(r.Contender)
	if err != nil {
		return Sample{}, err
	}
	switch r.Op {
	case OpCheck:
		return check(who, store, r)
	case OpOpen:
		return open(who, store, r)
	case OpSeal:
		return seal(store, r)
	case OpPopulate:
		c.population, s = populate(who, store, r, func(s Sample) { _ = c.answers.Encode(s) }) // the last one counts
		return s, nil
	}
	if c.population == nil {
		return Sample{}, errors.New("there is no population")
	}
	if r.Op == OpPurge {
		return c.population.purge(who)
	}
	return c.population.many(r)
}

// storeOf returns the contender of the name, or the process's own, and its store.
func (c *child) storeOf(name string) (*contenders.Contender, contenders.Store, error) {
	who := c.contender
	if name != "" && name != who.Name {
		var err error
		if who, err = contenders.Find(name); err != nil {
			return nil, nil, err
		}
	}
	if s := c.stores[who.Name]; s != nil {
		return who, s, nil
	}
	s, err := who.Start()
	if err == nil {
		c.stores[who.Name] = s
	}
	return who, s, err
}

// check notes the backend, where the contender chooses one.
func check(c *contenders.Contender, store contenders.Store, r Request) (s Sample, err error) {
	for _, size := range r.Sizes {
		if err := contenders.Check(c, store, size); err != nil {
			return Sample{}, err
		}
	}
	if err := contenders.CheckPurge(c, store, 32); err != nil {
		return Sample{}, err
	}
	if b, ok := store.(interface{ Backend() string }); ok {
		s.Note = b.Backend()
	}
	return s, nil
}

func (c *child) close() error {
	var err error
	if c.population != nil {
		err = c.population.close()
	}
	if c.growth != nil {
		err = errors.Join(err, c.growth.close())
	}
	for _, s := range c.stores {
		err = errors.Join(err, s.Close())
	}
	return err
}
