package load

import (
	"os"

	"golang.org/x/sys/unix"
)

// privateMount reports whether the file lies on a tmpfs or ramfs that is mounted
// read-only. Nothing but a container's runtime or systemd makes such mounts, for
// secrets; /tmp, /run and /dev/shm can be written.
func privateMount(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var st unix.Statfs_t
	var statErr error
	// Not f.Fd, which may make the descriptor blocking.
	if err := raw.Control(func(fd uintptr) { statErr = unix.Fstatfs(int(fd), &st) }); err != nil || statErr != nil {
		return false
	}
	kind := uint32(st.Type) // its type differs between processors
	return (kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC) && st.Flags&unix.ST_RDONLY != 0
}

// runtimeFile reports whether the descriptor is a control group's file. Go's runtime keeps
// some open from the start, to follow the limit on processors, and they have the first
// numbers that are free: those that a program expects to be started with.
func runtimeFile(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	kind := uint32(st.Type)
	return kind == unix.CGROUP_SUPER_MAGIC || kind == unix.CGROUP2_SUPER_MAGIC
}
