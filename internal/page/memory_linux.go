package page

// machineMemory is how much memory the machine has, in bytes; 0 if that is not known.
func machineMemory() uint64 {
	total, err := kernel{}.memory()
	if err != nil {
		return 0
	}
	return total
}
