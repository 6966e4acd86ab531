package coffer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/locked"
)

// Sealed bytes may lie anywhere; they open in locked memory.
func Example() {
	pool, err := locked.NewPool(locked.Config{LockedBytes: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	c, err := coffer.New(pool, coffer.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const size = 16
	sealed := make([]byte, size+coffer.Overhead)
	err = pool.Use(context.Background(), size, func(b []byte) error {
		copy(b, "sixteen bytes ..")
		return nil
	}, func(b []byte) error {
		return c.Seal(sealed, b)
	})
	if err != nil {
		log.Fatal(err)
	}

	b, err := pool.NewFrozen(size, func(b []byte) error { return c.Open(b, sealed) })
	if err != nil {
		log.Fatal(err)
	}
	defer b.Destroy()
	fmt.Println(b.Equal([]byte("sixteen bytes ..")))
	// Output: true
}
