//go:build aix || darwin || freebsd || linux || netbsd || openbsd || solaris

package page

import "syscall"

// shortErrnos are the errors of calls that memcall makes which say that something
// ran out.
var shortErrnos = []syscall.Errno{syscall.ENOMEM, syscall.EAGAIN, syscall.EPERM}
