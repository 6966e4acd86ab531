// Command readme is the program that the README shows, so that it is built.
package main

import (
	"fmt"

	"github.com/memkeep/memkeep/enclave/load"
)

func main() {
	password, err := load.File("/run/secrets/db") // read into locked memory and sealed there
	if err == nil {
		err = password.Use(func(secret []byte) error {
			return nil // log in here: secret is locked, read-only, and wiped when this returns
		})
	}
	fmt.Println(password, err) // [REDACTED 12 bytes] <nil>
}
