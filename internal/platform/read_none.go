//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !windows

package platform

// Read knows nothing of this platform.
func Read() Facts { return Facts{} }
