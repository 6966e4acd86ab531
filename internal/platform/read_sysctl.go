//go:build darwin || freebsd || netbsd || openbsd

package platform

import "golang.org/x/sys/unix"

// Read reads the facts of this system and process.
func Read() Facts {
	f := fromSysctl(func(name string) ([]byte, error) { return unix.SysctlRaw(name) })
	f.Core.Limit, f.Core.Limited = coreLimit()
	return f
}
