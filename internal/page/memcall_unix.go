//go:build aix || darwin || freebsd || netbsd || openbsd || solaris

package page

// mechanisms of the other Unix systems.
var mechanisms = []mechanism{{Mlock, openMemcall}}
