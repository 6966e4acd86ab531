//go:build memguard && (amd64 || arm64)

package forensics

import (
	"reflect"
	"time"

	"github.com/awnumar/memguard"
)

// Importing memguard changes the process, its limit on cores for one: so it is
// in a binary of its own.

func init() { roles["memguard"] = (*child).memguard }

// memguard puts secrets into locked buffers, and opens them into such.
func (c *child) memguard() error {
	var enclaves [secrets]*memguard.Enclave
	for i := range enclaves {
		b := memguard.NewBuffer(size(i))
		putWords(b.Bytes(), c.masked(i))
		enclaves[i] = b.Seal()
		sealed := field(reflect.ValueOf(enclaves[i].Enclave), "ciphertext").Elem().Interface().([]byte)
		copy(c.board.peer[i][:], sealed)
	}
	err := openMany(func(i int) error {
		b, err := enclaves[i].Open()
		if err != nil {
			return err
		}
		defer b.Destroy()
		if !holds(b.Bytes(), c.masked(i)) {
			return errWrongSecret
		}
		return nil
	})
	if err != nil {
		return err
	}
	time.Sleep(1200 * time.Millisecond) // two of the re-keyings that happen every 500 ms
	return c.finish()
}
