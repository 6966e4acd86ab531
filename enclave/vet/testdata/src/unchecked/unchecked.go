package unchecked

import (
	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

func unchecked(e *enclave.Enclave, b *locked.Buffer) error {
	e.Use(nil)             // want `the error of Use is discarded`
	enclave.UseAll(nil, e) // want `the error of UseAll is discarded`
	enclave.Seal(b)        // want `the error of Seal is discarded`
	_ = e.Use(nil)
	b.Destroy()
	e.Destroy()
	return e.Use(nil)
}
