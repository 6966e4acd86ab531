package keys_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
)

// leftoversEnv makes the test binary the child of TestLeftovers; its value is
// the subject and the way, with a slash between.
const leftoversEnv = "KEYS_LEFTOVERS"

const (
	wayKeys     = "keys"
	wayStandard = "standard library"
)

// mask hides secret and control on their way to the child.
const mask = 0xa5

const (
	leftoverOperations = 2000
	leftoverCallers    = 4
	controlSize        = 32
)

var leftoverMessage = []byte("a message of the leftovers test, the same every time")

// A subject is an operation whose leftovers are looked for.
type subject struct {
	name string

	// keys returns the operation with this package; it may take the secret's
	// memory, which is locked.
	keys func(in keys.Session, secret []byte) (func() error, error)

	// standard is the operation with the standard library, on a secret from
	// Use, as a careful program does it.
	standard func(secret []byte) error
}

var subjects = []subject{
	{
		name: "Ed25519",
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			k, err := in.ParseSeed(secret)
			return func() error {
				_, err := k.Sign(nil, leftoverMessage, crypto.Hash(0))
				return err
			}, err
		},
		standard: func(secret []byte) error {
			private := ed25519.NewKeyFromSeed(secret)
			defer clear(private)
			ed25519.Sign(private, leftoverMessage)
			return nil
		},
	}, {
		name: "HMAC-SHA-256",
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			m, err := in.NewMAC(crypto.SHA256, secret)
			return func() error {
				_, err := m.Sum(leftoverMessage)
				return err
			}, err
		},
		standard: func(secret []byte) error {
			h := hmac.New(sha256.New, secret)
			h.Write(leftoverMessage)
			h.Sum(nil)
			h.Reset()
			return nil
		},
	},
}

// leftoversChild reads the masked secret and a control, works many times with
// the secret, says so, and waits for the end of its input.
func leftoversChild(task string) int {
	if err := leftovers(task); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func leftovers(task string) error {
	session, err := enclave.NewSession(enclave.Config{RekeyInterval: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	defer session.Close()
	control, operation, err := leftoversBegin(session, task)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(control)
	if err := leftoversWork(operation); err != nil {
		return err
	}
	// At rest means that the frames of signals are swept too: once for what was
	// done, and once for what was under way at that moment.
	for enough := session.Stats().Rekeys + 2; session.Stats().Rekeys < enough; {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// leftoversBegin reads control and secret from the input, and returns the
// control, on the heap where the scan must find it, and the operation.
func leftoversBegin(session *enclave.Session, task string) ([]byte, func() error, error) {
	name, way, _ := strings.Cut(task, "/")
	var size [2]byte
	if _, err := io.ReadFull(os.Stdin, size[:]); err != nil {
		return nil, nil, err
	}
	in, err := session.NewBuffer(int(size[0])<<8 | int(size[1]))
	if err != nil {
		return nil, nil, err
	}
	defer in.Destroy()
	b := in.Bytes()
	if _, err := io.ReadFull(os.Stdin, b); err != nil {
		return nil, nil, err
	}
	for i := range b {
		b[i] ^= mask
	}
	control := append([]byte(nil), b[:controlSize]...)
	secret := b[controlSize:]
	for _, s := range subjects {
		if s.name != name {
			continue
		}
		if way == wayKeys {
			operation, err := s.keys(keys.In(session), secret)
			return control, operation, err
		}
		e, err := session.New(secret)
		return control, func() error { return e.Use(s.standard) }, err
	}
	return nil, nil, fmt.Errorf("no subject %q", name)
}

// leftoversWork runs the operation from several goroutines whose stacks grow and
// shrink, with collections meanwhile.
func leftoversWork(operation func() error) error {
	var group sync.WaitGroup
	errs := make(chan error, leftoverCallers)
	for range leftoverCallers {
		group.Go(func() {
			for i := range leftoverOperations / leftoverCallers {
				if err := deep(i%8, operation); err != nil {
					errs <- err
					return
				}
				if i%125 == 124 {
					runtime.GC()
				}
			}
		})
	}
	group.Wait()
	close(errs)
	return <-errs
}

// deep calls f with some more stack in use.
func deep(depth int, f func() error) error {
	if depth == 0 {
		return f()
	}
	var frame [512]byte
	defer runtime.KeepAlive(&frame)
	return deep(depth-1, f)
}
