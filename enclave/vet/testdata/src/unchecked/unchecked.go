package unchecked

import (
	"context"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/locked"
)

func unchecked(e *enclave.Enclave, b *locked.Buffer) error {
	e.Use(nil)             // want `the error of Use is discarded: check it, or a failure goes unnoticed`
	go e.Use(nil)          // want `the error of Use is discarded`
	e.Open()               // want `the error of Open is discarded`
	enclave.UseAll(nil, e) // want `the error of UseAll is discarded`
	enclave.Seal(b)        // want `the error of Seal is discarded`
	b.Scramble()           // want `the error of Scramble is discarded`
	_ = e.Use(nil)
	b.Destroy()
	e.Destroy()
	return e.Use(nil)
}

func others(s *enclave.Session, stream *enclave.Stream, m *keys.MAC, r *load.Rotating, message, tag []byte) {
	m.Verify(message, tag)                             // want `the error of Verify is discarded`
	r.Reload(context.Background())                     // want `the error of Reload is discarded`
	stream.Write(message)                              // want `the error of Write is discarded`
	locked.Harden(locked.Hardening{NoCoreDumps: true}) // want `the error of Harden is discarded`
	defer enclave.Purge()
	s.Close()
}
