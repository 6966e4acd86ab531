package enclave_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

// Most programs need only this.
func Example() {
	key, err := enclave.New([]byte("from a file, a flag, a vault ...")) // wiped on return
	if err != nil {
		log.Fatal(err)
	}
	var tag []byte
	err = key.Use(func(secret []byte) error {
		// The hash keeps what it derives from the key on the Go heap.
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte("a message"))
		tag = mac.Sum(nil)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v signed: %x...\n", key, tag[:4])
	// Output: [REDACTED 32 bytes] signed: ba06d5ac...
}

// A secret that stays open across calls is a buffer, and yours to destroy.
func ExampleEnclave_OpenContext() {
	token, err := enclave.New([]byte("a bearer token"))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b, err := token.OpenContext(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Destroy()
	fmt.Println(b, "open, mutable:", b.Mutable())
	// Output: [REDACTED 14 bytes] open, mutable: false
}

// A key-encrypting key and a data key, in one step.
func ExampleUseAll() {
	kek, err := enclave.NewRandom(32)
	if err != nil {
		log.Fatal(err)
	}
	dek, err := enclave.NewRandom(32)
	if err != nil {
		log.Fatal(err)
	}
	err = enclave.UseAll(func(secrets [][]byte) error {
		fmt.Println(len(secrets[0]), len(secrets[1]))
		return nil
	}, kek, dek)
	fmt.Println(err)
	// Output:
	// 32 32
	// <nil>
}

// A program with its own budget makes its own session.
func ExampleNewSession() {
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: 1 << 20})
	if err != nil {
		var limit *locked.LimitError
		if errors.As(err, &limit) {
			log.Fatalf("may lock %d bytes, need %d: %v", limit.Soft, limit.Requested, err)
		}
		log.Fatal(err)
	}
	defer session.Close()
	for i := range 1000 {
		if _, err := session.New(fmt.Appendf(nil, "secret number %d", i)); err != nil {
			log.Fatal(err)
		}
	}
	stats := session.Stats()
	fmt.Println(stats.Seals, "secrets,", stats.LockedBytes <= 1<<20)
	// Output: 1000 secrets, true
}
