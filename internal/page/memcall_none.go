//go:build dragonfly || js || wasip1 || plan9

package page

// mechanisms: these platforms can't lock memory, or memcall doesn't build for
// them. Open returns ErrUnsupported.
var mechanisms []mechanism

func openUnlocked(Hook) (Backend, error) { return nil, ErrUnsupported }
