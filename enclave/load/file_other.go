//go:build !unix

package load

import (
	"errors"
	"io/fs"
	"os"
)

const openFlags = os.O_RDONLY

// errAgain is no error that a system without FIFOs returns.
var errAgain = errors.New("try again")

// exposed reports no file: the modes here say nothing of who may read it.
func exposed(fs.FileMode) bool { return false }
