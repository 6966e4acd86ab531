//go:build darwin || freebsd || netbsd || openbsd

package page

// exemptFromLimit: these systems exempt no process.
func exemptFromLimit() (bool, error) { return false, nil }
