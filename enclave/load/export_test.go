package load

import "github.com/memkeep/memkeep/enclave"

// SetBetween has f run each time between renewing the watches and reading the source.
func (c *RotatingConfig) SetBetween(f func()) { c.between = f }

// Current returns the enclave of the current version.
func (r *Rotating) Current() *enclave.Enclave {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current.secret
}
