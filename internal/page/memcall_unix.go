//go:build aix || darwin || freebsd || netbsd || openbsd || solaris

package page

// mechanisms of the other Unix systems.
var mechanisms = []mechanism{{Memcall, openMemcall}}

// lockCall names the system call behind memcall.Lock.
const lockCall = "mlock"

// relockAfterNone: mlock holds whatever the access becomes.
const relockAfterNone = false
