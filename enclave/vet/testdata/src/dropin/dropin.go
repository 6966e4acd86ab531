package dropin

import "github.com/memkeep/memkeep/enclave/memguard"

func leaked() int {
	b := memguard.NewBuffer(32) // want `the buffer from NewBuffer is not destroyed on every path`
	return len(b.Bytes())
}

func sealed() *memguard.Enclave { return memguard.NewBuffer(32).Seal() }
