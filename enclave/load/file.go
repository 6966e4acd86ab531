package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/memkeep/memkeep/enclave"
)

// File reads the secret in a file. A symbolic link is followed; a FIFO is read
// until its writer closes it; a directory or a device is [ErrNotFile].
//
// A file that every user may read or write is [ErrExposed], unless
// AllowWorldReadable is set. A group may read it (0640), as with Kubernetes'
// fsGroup. The mounts of Kubernetes and Docker Swarm are accepted with their modes
// of 0644 and 0444: each is a tmpfs that is mounted read-only for this container, so
// only its processes see it. For Vault's agent, set perms to "0640" in the template.
// On Windows nothing is checked.
func (l Loader) File(ctx context.Context, path string) (*enclave.Enclave, error) {
	return l.file(ctx, path, "file:"+path, nil)
}

func (l Loader) file(ctx context.Context, path, source string, pick picker) (*enclave.Enclave, error) {
	return l.seal(ctx, source, pick, func(ctx context.Context, consume consumer) error {
		switch {
		case path == "":
			return fs.ErrNotExist // on js and wasip1 the system says EINVAL
		case strings.ContainsRune(path, 0):
			return fs.ErrInvalid
		}
		f, err := os.OpenFile(path, openFlags, 0)
		if err != nil {
			// A socket can't be opened: each system has another error for that.
			if info, statErr := os.Stat(path); statErr == nil && info.Mode()&fs.ModeSocket != 0 {
				return fmt.Errorf("%w: it is %v: %w", ErrNotFile, kindOf(info.Mode()), err)
			}
			return err
		}
		defer f.Close()
		return l.readFile(ctx, f, consume)
	})
}

// Credential reads the credential that systemd passed to the unit under this name,
// by LoadCredential= or SetCredentialEncrypted=. It is a file in
// $CREDENTIALS_DIRECTORY; Credential refuses a name that leads out of there.
func (l Loader) Credential(ctx context.Context, name string) (*enclave.Enclave, error) {
	return l.credential(ctx, name, "credential:"+name, nil)
}

func (l Loader) credential(ctx context.Context, name, source string, pick picker) (*enclave.Enclave, error) {
	return l.seal(ctx, source, pick, func(ctx context.Context, consume consumer) error {
		dir, err := credentialsDirectory(name)
		if err != nil {
			return err
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fmt.Errorf("CREDENTIALS_DIRECTORY: %w", err)
		}
		defer root.Close()
		f, err := root.OpenFile(name, openFlags, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return l.readFile(ctx, f, consume)
	})
}

// credentialsDirectory returns where the credential of that name would be.
func credentialsDirectory(name string) (string, error) {
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, "/\\\x00") {
		return "", fmt.Errorf("%w: a credential's name is a file name", fs.ErrInvalid)
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("CREDENTIALS_DIRECTORY: %w: systemd sets it for a unit with LoadCredential= or SetCredential=", ErrNotSet)
	}
	return dir, nil
}

// credentialPath returns the path of a credential, for a watch.
func credentialPath(name string) string {
	return filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), name)
}

// readFile reads an open file if it is one that may hold a secret.
func (l Loader) readFile(ctx context.Context, f *os.File, consume consumer) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return fmt.Errorf("%w: it is a directory, which Dir reads", ErrNotFile)
	case mode.IsRegular():
	case mode.Type() == fs.ModeNamedPipe:
		if err := l.checkAccess(f, info); err != nil {
			return err
		}
		return l.read(ctx, &pipe{ctx: ctx, File: f}, 0, consume)
	default:
		return fmt.Errorf("%w: it is %v", ErrNotFile, kindOf(mode))
	}
	if err := l.checkAccess(f, info); err != nil {
		return err
	}
	if info.Size() > int64(l.maxSize()) {
		return fmt.Errorf("%w: it has %d", l.tooLarge(), info.Size())
	}
	// Files in /proc report a size of 0.
	return l.read(ctx, f, int(info.Size()), consume)
}

// kindOf names what is neither a file nor a directory.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "neither a file nor a pipe"
}

// checkAccess refuses a file that every user may read or write.
func (l Loader) checkAccess(f *os.File, info fs.FileInfo) error {
	if l.AllowWorldReadable || !exposed(info.Mode()) || privateMount(f) {
		return nil
	}
	return fmt.Errorf("%w (mode %04o): run chmod o= on it, give a Kubernetes volume defaultMode: 0440 and an fsGroup, "+
		"give a Docker secret mode: 0400, or set Loader.AllowWorldReadable", ErrExposed, info.Mode().Perm())
}

// A pipe is a FIFO. Before it has a writer, reading it returns io.EOF.
type pipe struct {
	*os.File
	ctx   context.Context
	begun bool
}

// Read waits for a writer by looking again, since a FIFO without one is always
// ready.
func (p *pipe) Read(b []byte) (int, error) {
	const pause = 10 * time.Millisecond // no human notices
	for {
		n, err := p.File.Read(b)
		p.begun = p.begun || n > 0
		if n > 0 || !(err == io.EOF && !p.begun || errors.Is(err, errAgain)) {
			return n, err
		}
		select {
		case <-p.ctx.Done():
			return 0, context.Cause(p.ctx)
		case <-time.After(pause):
		}
	}
}
