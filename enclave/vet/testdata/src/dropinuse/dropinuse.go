package dropinuse

import (
	"fmt"
	"io"
	"strings"

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
	fmt.Println(b)
	header("Bearer " + b.String())      // want `the concatenation copies the secret to the heap`
	header(strings.ToUpper(b.String())) // want `strings.ToUpper copies the secret`
	header(strings.TrimSpace(b.String()))
	key := *b.ByteArray32() // want `the array is a copy of the secret`
	use(key)
	if b.String() == "none" || b.String()+"" == "" { // want `the concatenation copies`
		return io.EOF
	}
	return nil
}

// A view of a buffer that lives on may be returned.
func (k *keeper) key() []byte { return k.b.Bytes() }

func destroyed() string {
	b := memguard.NewBuffer(32)
	defer b.Destroy()
	return b.String() // want `the secret from String is returned, but the deferred Destroy unmaps it`
}

func header(string) {}

func use([32]byte) {}
