package forensics

// inSignalFrame: only amd64's frames are told apart. Elsewhere a frame counts
// as a leak, so that only processes at rest are examined there.
func inSignalFrame(memory, uint64, uint64) (bool, string) { return false, "" }
