package page

import "golang.org/x/sys/unix"

// advised: NetBSD has no advice that keeps pages out of a core dump; only a
// core limit of zero does.
var advised = Protection{Fork: "MAP_INHERIT_NONE"}

// exclude: minherit(2), MAP_INHERIT_NONE "The region is unmapped in the child".
func exclude(b []byte) error { return minherit(b, unix.MAP_INHERIT_NONE) }
