//go:build !linux

package load

// A watch tells of changes to a file. On this system there is polling alone.
type watch struct{}

func newWatch(string) *watch           { return nil }
func (*watch) renew()                  {}
func (*watch) events() <-chan struct{} { return nil }
func (*watch) works() bool             { return false }
func (*watch) close()                  {}
