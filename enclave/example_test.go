package enclave_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/memkeep/memkeep/enclave"
)

// Most programs need only New and Use.
func Example() {
	password, err := enclave.New([]byte("hunter2")) // wipes the slice
	if err != nil {
		log.Fatal(err)
	}
	err = password.Use(func(secret []byte) error {
		// Log in here. The slice is wiped when this function returns.
		fmt.Println(len(secret), "bytes in locked memory")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(password)
	// Output:
	// 7 bytes in locked memory
	// [REDACTED 7 bytes]
}

// Get returns what the function makes of the secret.
func ExampleGet() {
	token, err := enclave.New([]byte("user:hunter2"))
	if err != nil {
		log.Fatal(err)
	}
	user, err := enclave.Get(token, func(secret []byte) (string, error) {
		name, _, ok := bytes.Cut(secret, []byte(":"))
		if !ok {
			return "", errors.New("malformed token")
		}
		return string(name), nil //memkeep:allow the name is no secret
	})
	fmt.Println(user, err)
	// Output: user <nil>
}

// NewFunc decodes a secret in locked memory, so that it never lies elsewhere.
func ExampleNewFunc() {
	encoded := []byte("68756e74657232")
	password, err := enclave.NewFunc(hex.DecodedLen(len(encoded)), func(dst []byte) error {
		_, err := hex.Decode(dst, encoded)
		return err
	})
	fmt.Println(password, err)
	// Output: [REDACTED 7 bytes] <nil>
}

// A server tells a full budget, which passes, from a limit, which an administrator
// raises, and from a purge, after which secrets must be loaded again.
func ExampleEnclave_Open_errors() {
	open := func(e *enclave.Enclave) string {
		b, err := e.Open()
		var limit *enclave.LimitError
		switch {
		case err == nil:
			defer b.Destroy()
			return "open"
		case errors.Is(err, enclave.ErrExhausted):
			return "busy: try again, or wait with OpenContext"
		case errors.As(err, &limit):
			return limit.Error() + "\n" + limit.Remedy()
		case errors.Is(err, enclave.ErrPurged), errors.Is(err, enclave.ErrDestroyed), errors.Is(err, enclave.ErrClosed):
			return "gone: load the secret again"
		case errors.Is(err, enclave.ErrDecrypt), errors.Is(err, enclave.ErrCorrupted):
			return "memory was modified: investigate"
		}
		return err.Error()
	}
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	e, err := session.NewRandom(32)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(open(e))
	if err := session.Purge(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(open(e))
	// Output:
	// open
	// gone: load the secret again
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
		var limit *enclave.LimitError
		if errors.As(err, &limit) {
			log.Fatalf("%v\n%s", err, limit.Remedy())
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
