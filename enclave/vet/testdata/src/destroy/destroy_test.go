package destroy

import (
	"testing"

	"github.com/memkeep/memkeep/enclave"
)

func TestOpenFails(t *testing.T) {
	if _, err := new(enclave.Enclave).Open(); err == nil {
		t.Error("a zero enclave was opened")
	}
}
