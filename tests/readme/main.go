// Command readme is the program that the README shows, so that it is built.
package main

import (
	"fmt"

	"github.com/memkeep/memkeep/enclave/load"
)

func main() {
	token, err := load.File("/run/secrets/token") // read into locked memory and sealed there
	if err == nil {
		err = token.Use(func(secret []byte) error {
			return nil // secret is locked, read-only, and wiped when this returns
		})
	}
	fmt.Println(token, err) // [REDACTED 12 bytes] <nil>
}
