//go:build race

package testenv

// Race is whether the race detector is on, which allocates and drops things of its
// own.
const Race = true
