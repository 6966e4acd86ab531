package keys_test

import (
	"context"
	"crypto"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
)

// A hookKey is the key of a webhook, which follows its file.
type hookKey struct {
	source *load.Rotating

	mu      sync.Mutex // protects what follows
	version uint64
	mac     *keys.MAC
}

// current returns the key of the version in use. Whoever still has the one before may go
// on with it: it is ciphertext, and the garbage collector frees it.
func (k *hookKey) current() (*keys.MAC, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// Asked for first: if another version comes now, the next call makes its key.
	version := k.source.Stats().Version
	if version == k.version {
		return k.mac, nil
	}
	secret, err := load.Get(k.source, enclave.NewCopy) // from locked memory, without the heap
	if err != nil {
		return nil, err
	}
	defer secret.Destroy()
	mac, err := keys.MACFromEnclave(crypto.SHA256, secret)
	if err != nil {
		return nil, err
	}
	k.version, k.mac = version, mac
	return mac, nil
}

// A program that checks webhooks with a key in a file that is replaced now and then makes
// a MAC of each version.
func Example_rotating() {
	dir, err := os.MkdirTemp("", "hooks")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "key")
	if err := os.WriteFile(path, []byte("the first key"), 0o600); err != nil {
		log.Fatal(err)
	}

	ref, err := load.ParseRef("file:" + path)
	if err != nil {
		log.Fatal(err)
	}
	source, err := load.NewRotating(context.Background(), ref, load.RotatingConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	key := &hookKey{source: source}
	sign := func(message string) []byte {
		mac, err := key.current()
		if err != nil {
			log.Fatal(err)
		}
		sum, err := mac.Sum([]byte(message))
		if err != nil {
			log.Fatal(err)
		}
		return sum
	}

	tag := sign("a message")
	if err := os.WriteFile(path, []byte("the second key"), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := source.Reload(context.Background()); err != nil { // or wait for it to see the file
		log.Fatal(err)
	}
	mac, err := key.current()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mac.Verify([]byte("a message"), tag))
	fmt.Println(mac.Verify([]byte("a message"), sign("a message")))
	// Output:
	// keys: message authentication failed
	// <nil>
}
