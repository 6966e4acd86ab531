package signer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

// ErrClosed says that the pool was closed.
var ErrClosed = errors.New("signer: the pool is closed")

// maxWorkers bounds the locked memory that working areas take: 16 of them fit
// into three pages.
const maxWorkers = 16

// A Pool makes signatures on a fixed number of workers, one for each processor.
// It is safe for concurrent use. Close ends it, before its session.
type Pool struct {
	session *enclave.Session
	memory  *locked.Buffer // the workers' working areas, side by side

	jobs    chan job
	closing chan struct{} // closed by Close
	once    sync.Once     // closes closing
	workers sync.WaitGroup
}

// A job is one call of fn on a worker; its error goes to done, which has room.
type job struct {
	fn   func(*worker) error
	done chan error
}

// New starts a pool of workers that use the session's locked memory.
func New(session *enclave.Session) (*Pool, error) {
	count := min(runtime.GOMAXPROCS(0), maxWorkers)
	memory, err := session.NewBuffer(count * workspaceSize)
	if err != nil {
		return nil, fmt.Errorf("signer: %d bytes of working memory: %w", count*workspaceSize, err)
	}
	p := &Pool{
		session: session,
		memory:  memory,
		jobs:    make(chan job),
		closing: make(chan struct{}),
	}
	var ready sync.WaitGroup
	ready.Add(count)
	for i := range count {
		p.workers.Go(func() { p.work(i, ready.Done) })
	}
	// From here on all of them hold the memory.
	ready.Wait()
	if err := p.do(context.Background(), (*worker).selfTest); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// do runs fn on a worker. It waits for one until ctx ends, and always for fn,
// which may use the caller's memory.
func (p *Pool) do(ctx context.Context, fn func(*worker) error) error {
	j := job{fn: fn, done: make(chan error, 1)}
	select {
	case p.jobs <- j:
		return <-j.done
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.closing:
		return ErrClosed
	}
}

// work is worker i's life. It calls ready once, when the worker holds its
// memory.
func (p *Pool) work(i int, ready func()) {
	// The frame of anchor keeps more than a quarter of the stack in use, and
	// that is where the runtime stops shrinking stacks; burn has grown it to
	// all the worker will ever need. So the stack never moves from here on.
	var anchor [anchorSize]byte
	touch(anchor[:])
	burn()

	// Within the buffer's Use, so that a purge of the session at any time does
	// not take the memory from under the worker.
	err := p.memory.Use(func(memory []byte) error {
		w := newWorker(memory[i*workspaceSize:][:workspaceSize])
		ready()
		for {
			select {
			case j := <-p.jobs:
				err := j.fn(w)
				w.clean()
				burn()
				j.done <- err
			case <-p.closing:
				return nil
			}
		}
	})
	// The buffer was destroyed before the worker began, and so was the session.
	if err != nil {
		p.once.Do(func() { close(p.closing) })
		ready()
	}
	touch(anchor[:])
}

// Close ends the workers, after the job that each may be at, and wipes their
// memory. Calls that wait return ErrClosed. Closing again does nothing.
func (p *Pool) Close() error {
	p.once.Do(func() { close(p.closing) })
	p.workers.Wait()
	if err := p.memory.Destroy(); err != nil {
		return fmt.Errorf("signer: %w", err)
	}
	return nil
}
