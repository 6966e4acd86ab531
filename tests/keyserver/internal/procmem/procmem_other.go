//go:build !linux

package procmem

// Read returns a usage of which nothing is known.
func Read() Usage {
	return Usage{Resident: Unknown, Locked: Unknown, Secret: Unknown, Swapped: Unknown}
}
