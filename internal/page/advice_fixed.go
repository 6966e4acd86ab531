//go:build !windows

package page

// Advised returns what this platform's mappings are protected by.
func Advised() Protection { return advised }
