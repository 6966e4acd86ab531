//go:build !aix && !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !solaris && !windows

package load

import "context"

func (l Loader) readTerminal(context.Context, string, consumer) error { return ErrNotTerminal }
