package copies

import (
	"fmt"
	"testing"

	"github.com/memkeep/memkeep/enclave"
)

var kept []byte

func TestSecretsOfTestsMayBePrinted(t *testing.T) {
	err := new(enclave.Enclave).Use(func(secret []byte) error {
		t.Log(string(secret))
		kept = secret // want `is stored in a package's variable`
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func ExampleEnclave() {
	_ = new(enclave.Enclave).Use(func(secret []byte) error {
		fmt.Println(secret) // want `fmt.Println prints the secret`
		return nil
	})
}
