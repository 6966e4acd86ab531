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

// Many secrets of one size, sealed one behind the other into a slice of bytes:
// the garbage collector does not look into it, however many there are, and a secret
// takes its own size and Overhead.
func Example_manySecrets() {
	pool, err := locked.NewPool(locked.Config{UseSlots: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	c, err := coffer.New(pool, coffer.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const secrets, size = 10_000, 32
	const each = size + coffer.Overhead
	all := make([]byte, secrets*each)
	at := func(i int) []byte { return all[i*each : (i+1)*each] }

	secret := make([]byte, size)
	for i := range secrets {
		copy(secret, fmt.Sprintf("the secret of tenant %08d ...", i))
		if err := c.Seal(at(i), secret); err != nil {
			log.Fatal(err)
		}
	}
	clear(secret)

	err = pool.Use(context.Background(), size,
		func(b []byte) error { return c.Open(b, at(1234)) },
		func(b []byte) error {
			fmt.Println(len(b), "bytes of a secret, in", each)
			return nil
		})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 32 bytes of a secret, in 56
}
