// Package benchmarks compares memkeep with its peers.
package benchmarks
