//go:build !unix

package memguard

import "os"

// preemption is no signal: the Go runtime sends itself none here.
var preemption os.Signal
