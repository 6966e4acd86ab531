// Package procmem reads what the operating system says of this process's
// memory.
package procmem

import "github.com/memkeep/memkeep/tests/keyserver/internal/format"

// A Usage is the process's memory as the system counts it, in bytes.
// A figure that the system does not give is Unknown.
type Usage struct {
	Resident int64 // in memory now
	Locked   int64 // counted towards the limit on locked memory: VmLck on Linux
	Secret   int64 // in memfd_secret pages, which kernels may leave out of Locked
	Swapped  int64 // in swap now
}

// Unknown stands for a figure that this system does not give.
const Unknown = -1

// String returns a figure for people to read.
func String(n int64) string {
	if n == Unknown {
		return "unknown"
	}
	return format.Number(int(n))
}
