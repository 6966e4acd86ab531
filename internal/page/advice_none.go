//go:build !linux && !freebsd && !netbsd && !openbsd && !darwin && !illumos && !windows

package page

// advised: AIX and Solaris have no such advice, and the others can't lock memory.
var advised Protection
