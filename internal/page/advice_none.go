//go:build !linux && !freebsd && !netbsd && !openbsd && !darwin && !illumos

package page

// advised: AIX and Solaris have no such advice, Windows asks nothing of its own
// (no fork copies a process there, and a process's own dump is written only when
// something asks for it), and the others can't lock memory.
var advised Protection
