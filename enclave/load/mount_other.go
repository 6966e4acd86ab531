//go:build !linux

package load

import "os"

// privateMount reports whether the file lies on a mount that was made for this
// container's secrets: nothing says so here.
func privateMount(*os.File) bool { return false }

// runtimeFile reports no descriptor: only Linux has control groups.
func runtimeFile(int) bool { return false }
