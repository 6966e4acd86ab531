package page

import "golang.org/x/sys/unix"

var advised = Protection{Dump: "MAP_CONCEAL", Fork: "MAP_INHERIT_NONE"}

// exclude: memcall maps with mmap(2)'s MAP_CONCEAL, "Exclude the mapping from
// core dumps", which can't be asked for later. minherit(2), MAP_INHERIT_NONE
// "Pages are not mapped in the child process".
func exclude(b []byte) error { return minherit(b, unix.MAP_INHERIT_NONE) }
