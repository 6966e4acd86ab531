//go:build !unix

package main

import "os"

// reloadSignals are those that make the server read its token again.
var reloadSignals []os.Signal
