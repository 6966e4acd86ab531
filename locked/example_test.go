package locked_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/memkeep/memkeep/locked"
)

// A secret in locked memory, written in place and then made read-only.
func Example() {
	pool, err := locked.NewPool(locked.Config{LockedBytes: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	b, err := pool.New(32)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Destroy()

	copy(b.Bytes(), "from a key file, say")
	if err := b.Freeze(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(b, b.Mutable())
	// Output: [REDACTED 32 bytes] false
}

// At the budget a call errs or waits; what is open goes on working.
func ExamplePool_NewContext() {
	pool, err := locked.NewPool(locked.Config{LockedBytes: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var open []*locked.Buffer
	for {
		b, err := pool.New(32)
		if errors.Is(err, locked.ErrExhausted) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		open = append(open, b)
	}

	done := make(chan error)
	go func() {
		b, err := pool.NewContext(context.Background(), 32) // waits its turn
		if err == nil {
			err = b.Destroy()
		}
		done <- err
	}()
	if err := open[0].Destroy(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-done)
	// Output: <nil>
}

// Locked memory for the time of a call, with no buffer to forget.
func ExamplePool_Use() {
	pool, err := locked.NewPool(locked.Config{LockedBytes: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	err = pool.Use(context.Background(), 16, func(b []byte) error {
		copy(b, "derived in place") // read it, derive it, decrypt it
		return nil
	}, func(b []byte) error {
		fmt.Println(len(b), "bytes in use")
		return nil
	})
	fmt.Println(err)
	// Output:
	// 16 bytes in use
	// <nil>
}
