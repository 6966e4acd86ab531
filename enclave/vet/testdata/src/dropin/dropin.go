package dropin

import (
	"io"

	"github.com/memkeep/memkeep/enclave/memguard"
)

func leaked() int {
	b := memguard.NewBuffer(32) // want `the buffer from NewBuffer is not destroyed on every path`
	return len(b.Bytes())
}

func sealed() *memguard.Enclave { return memguard.NewBuffer(32).Seal() }

func discarded() {
	memguard.NewBuffer(32)     // want `the buffer from NewBuffer is discarded`
	_ = memguard.NewBuffer(32) // want `the buffer from NewBuffer is discarded`
}

func read(w io.Writer) error {
	b := memguard.NewBuffer(32) // want `the buffer from NewBuffer is not destroyed`
	n, err := b.Reader().WriteTo(w)
	_ = n
	return err
}

func reader() io.Reader { return memguard.NewBuffer(32).Reader() }
