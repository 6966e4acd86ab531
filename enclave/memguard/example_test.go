package memguard_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// A program moves to the package enclave call by call: both kinds are of one
// session.
func Example_movingOn() {
	session, err := core.Session()
	if err != nil {
		fmt.Println(err)
		return
	}
	old := memguard.NewEnclave([]byte("made by memguard.NewEnclave"))

	// An old enclave, used the new way.
	err = core.Unwrap(old.Enclave).Use(func(secret []byte) error {
		fmt.Println(bytes.HasPrefix(secret, []byte("made by")))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}

	// A new buffer, handed to old code.
	b, err := session.ReadUntil(strings.NewReader("made by ReadUntil\nrest"), '\n')
	if err != nil {
		fmt.Println(err)
		return
	}
	wrapped := &memguard.LockedBuffer{Buffer: core.Wrap(b)}
	defer wrapped.Destroy()
	fmt.Println(wrapped.Size())

	// In place of CatchInterrupt.
	_, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// … the program's work, until the context is done …
	if err := session.Purge(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(wrapped.IsAlive())
	// Output:
	// true
	// 17
	// false
}
