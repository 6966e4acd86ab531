package theirs

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/awnumar/memguard"
	"github.com/awnumar/memguard/core"
)

// Load keeps n enclaves and opens each once, by workers at a time, as a server
// does. Each worker that finds no memory tries again. A panic is an error.
func Load(n, workers int) (err error) {
	var mu sync.Mutex
	fail := func(v any) {
		mu.Lock()
		defer mu.Unlock()
		if v != nil && err == nil {
			err = fmt.Errorf("%v", v)
		}
	}
	all := make([]*memguard.Enclave, n)
	for i := range all {
		all[i] = memguard.NewEnclave(secretOf(i))
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { fail(recover()) }()
			// It unmaps what other goroutines use.
			debug.SetPanicOnFault(true)
			for i := w; i < n; i += workers {
				if err := open(all[i], i); err != nil {
					fail(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	return err
}

func secretOf(i int) []byte { return fmt.Appendf(nil, "secret %025d", i) }

func open(e *memguard.Enclave, i int) error {
	for {
		b, err := e.Open()
		if err == core.ErrDecryptionFailed {
			return err
		}
		if err != nil {
			runtime.Gosched()
			continue
		}
		same := b.EqualTo(secretOf(i))
		// Others come in between, as they do where a secret is at work.
		runtime.Gosched()
		b.Destroy()
		if !same {
			return errors.New("another secret")
		}
		return nil
	}
}
