package signer

// The worker's stack: its own frame with the anchor, then room for the deepest
// call. Together they need a stack of 64 KiB, of which the anchor is more than
// the quarter that keeps the runtime from shrinking it.
const (
	anchorSize = 20 << 10
	burnSize   = 16 << 10
)

// burn overwrites the stack below the caller's frame, as far as signing ever
// reaches. In the builds that TestLeftovers ran on, the scan finds nothing without
// it either: later calls happened to overwrite it all. That hangs on the
// compiler's choice of frames; this does not.
//
//go:noinline
func burn() {
	var frame [burnSize]byte
	touch(frame[:])
}

// touch keeps the compiler from dropping an array that nothing else uses.
//
//go:noinline
func touch(b []byte) {
	clear(b)
}
