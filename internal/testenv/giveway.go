//go:build !js

package testenv

import "runtime"

// GiveWay lets others run, for a loop that would keep them from it where nothing
// preempts.
func GiveWay() { runtime.Gosched() }
