//go:build unix && !linux

package load

// runtimeFile reports whether the descriptor is one that Go's runtime keeps open. Only
// Linux has control groups.
func runtimeFile(int) bool { return false }
