// Package procmem reads what the operating system says of this process's
// memory.
package procmem

// A Usage is the process's memory as the system counts it, in bytes.
// A figure that the system does not give is Unknown.
type Usage struct {
	Resident int64 // in memory now
	Locked   int64 // counted towards the limit on locked memory: VmLck on Linux
	Secret   int64 // of these, in memfd_secret pages
}

// Unknown stands for a figure that this system does not give.
const Unknown = -1
