//go:build aix || solaris || windows

package page

// machineMemory is not known on aix and solaris. Windows commits no more than it can hold.
func machineMemory() uint64 { return 0 }
