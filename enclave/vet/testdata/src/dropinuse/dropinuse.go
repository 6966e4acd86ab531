package dropinuse

import (
	"fmt"

	"github.com/memkeep/memkeep/enclave/memguard"
)

type keeper struct{ b *memguard.LockedBuffer }

func printed(e *memguard.Enclave) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer b.Destroy()
	fmt.Println(b.String()) // want `fmt.Println prints the secret`
	return nil
}

// A view of a buffer that lives on may be returned.
func (k *keeper) key() []byte { return k.b.Bytes() }

func destroyed() string {
	b := memguard.NewBuffer(32)
	defer b.Destroy()
	return b.String() // want `the secret from String is returned, but the deferred Destroy unmaps it`
}
