package load

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/memkeep/memkeep/enclave"
)

// Dir reads each file in a folder as a secret, as Docker and Kubernetes mount
// them, and returns the enclaves by file name. It skips directories, and entries
// whose name begins with a dot, such as Kubernetes' ..data. A relative symbolic link
// may point to a file within the folder. An absolute link, a link that leaves the
// folder, and a FIFO are errors.
//
// Otherwise Dir reads each file as [Loader.File] does. If any can't be read, it returns
// the joined errors and no map. If a Kubernetes mount changes meanwhile, Dir reads it
// again, so that all secrets are of one version.
func (l Loader) Dir(ctx context.Context, path string) (map[string]*enclave.Enclave, error) {
	source := "dir:" + path
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, DefaultTimeout, errTimeout)
		defer cancel()
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, failed(source, err)
	}
	defer root.Close()
	const tries = 5 // Kubernetes changes a mount about once a minute
	for range tries {
		version := dirVersion(root)
		secrets, err := l.readDir(ctx, root, path)
		if dirVersion(root) == version {
			if err != nil {
				return nil, failed(source, err)
			}
			return secrets, nil
		}
		destroyAll(secrets)
	}
	return nil, failed(source, ErrUnsettled)
}

// dirVersion returns what Kubernetes' ..data points to, or "" in other folders.
func dirVersion(root *os.Root) string {
	target, err := root.Readlink("..data")
	if err != nil {
		return ""
	}
	return target
}

// readDir reads the files of root, which was opened by that path.
func (l Loader) readDir(ctx context.Context, root *os.Root, path string) (map[string]*enclave.Enclave, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	secrets := make(map[string]*enclave.Enclave)
	var errs []error
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || entry.IsDir() {
			continue
		}
		if ctx.Err() != nil {
			errs = append(errs, context.Cause(ctx))
			break
		}
		switch e, err := l.dirFile(ctx, root, name, "file:"+filepath.Join(path, name)); {
		case err == errSkip:
		case err != nil:
			errs = append(errs, err)
		default:
			secrets[name] = e
		}
	}
	if len(errs) > 0 {
		destroyAll(secrets)
		return nil, errors.Join(errs...)
	}
	return secrets, nil
}

// errSkip stands for a link to a directory.
var errSkip = errors.New("a directory")

func (l Loader) dirFile(ctx context.Context, root *os.Root, name, source string) (*enclave.Enclave, error) {
	f, err := root.OpenFile(name, openFlags, 0)
	if err != nil {
		return nil, failed(source, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errSkip
	} else if err == nil && info.Mode().Type() == fs.ModeNamedPipe {
		return nil, failed(source, fmt.Errorf("%w: it is a FIFO", ErrNotFile))
	}
	return l.seal(ctx, source, nil, func(ctx context.Context, consume consumer) error {
		return l.readFile(ctx, f, consume)
	})
}

func destroyAll(secrets map[string]*enclave.Enclave) {
	for _, e := range secrets {
		e.Destroy()
	}
}
