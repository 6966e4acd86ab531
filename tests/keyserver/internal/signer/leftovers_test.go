package signer

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/memkeep/memkeep/enclave"
)

// leftoversEnv makes the test binary the child of TestLeftovers; its value is
// the way to sign.
const leftoversEnv = "SIGNER_LEFTOVERS"

const (
	wayStandard = "standard library"
	wayWorkers  = "workers"
)

// mask hides the keys and the control on their way to the child.
const mask = 0xa5

const leftoverSignatures = 2000

var leftoverMessage = []byte("a message of the leftovers test, the same every time")

// leftoversChild reads masked keys and a control, signs many times with the
// keys, says so, and waits for the end of its input.
func leftoversChild(way string) int {
	if err := leftovers(way); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func leftovers(way string) error {
	session, err := enclave.NewSession(enclave.Config{})
	if err != nil {
		return err
	}
	defer session.Close()
	in, err := session.NewBuffer(3 * 32)
	if err != nil {
		return err
	}
	defer in.Destroy()
	b := in.Bytes()
	if _, err := io.ReadFull(os.Stdin, b); err != nil {
		return err
	}
	for i := range b {
		b[i] ^= mask
	}
	// The control lies on the heap, where the scan must find it.
	control := append([]byte(nil), b[64:]...)
	defer runtime.KeepAlive(&control)

	sign, end, err := leftoversWay(way, session, b)
	if err != nil {
		return err
	}
	defer end()
	for i := range leftoverSignatures {
		if err := sign(); err != nil {
			return err
		}
		if i%500 == 499 {
			runtime.GC()
		}
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// leftoversWay seals the seed and the HMAC key that keys begins with, and
// returns a function that signs with both, and one that ends it.
func leftoversWay(way string, session *enclave.Session, keys []byte) (sign, end func() error, err error) {
	if way == wayStandard {
		return leftoversStandard(session, keys)
	}
	p, err := New(session)
	if err != nil {
		return nil, nil, err
	}
	seed, err := p.Import(context.Background(), Ed25519, keys[:32])
	if err != nil {
		return nil, nil, err
	}
	key, err := p.Import(context.Background(), HMACSHA256, keys[32:64])
	if err != nil {
		return nil, nil, err
	}
	return func() error {
		if _, err := p.Sign(context.Background(), key, leftoverMessage); err != nil {
			return err
		}
		_, err := p.Sign(context.Background(), seed, leftoverMessage)
		return err
	}, p.Close, nil
}

// leftoversStandard is the careful way with the standard library: a heap copy
// of the key for the time of one signature, wiped after it.
func leftoversStandard(session *enclave.Session, keys []byte) (sign, end func() error, err error) {
	seed, err := session.New(keys[:32])
	if err != nil {
		return nil, nil, err
	}
	key, err := session.New(keys[32:64])
	if err != nil {
		return nil, nil, err
	}
	return func() error {
		err := seed.Use(func(secret []byte) error {
			private := ed25519.NewKeyFromSeed(secret)
			defer clear(private)
			ed25519.Sign(private, leftoverMessage)
			return nil
		})
		if err != nil {
			return err
		}
		return key.Use(func(secret []byte) error {
			h := hmac.New(sha256.New, secret)
			h.Write(leftoverMessage)
			h.Sum(nil)
			h.Reset()
			return nil
		})
	}, func() error { return nil }, nil
}
