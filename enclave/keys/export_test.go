package keys

import "github.com/memkeep/memkeep/enclave"

// Sealed returns the enclave with what the algorithm needs of the key.
func (k *PrivateKey) Sealed() *enclave.Enclave { return k.sealed }
