package load

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/memkeep/memkeep/enclave"
)

// Command runs a program, such as a password manager, and reads the secret that
// it prints on its standard output. No shell is involved; argv[0] is looked up as
// [exec.LookPath] does. The program has no standard input, and inherits standard
// error and the environment. If it fails or prints more than MaxSize bytes, Command
// returns an error. If ctx ends, Command kills the program.
func (l Loader) Command(ctx context.Context, argv ...string) (*enclave.Enclave, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, failed("cmd:", fs.ErrInvalid)
	}
	// The arguments may say more than a log should keep.
	source := "cmd:" + filepath.Base(argv[0])
	return l.sealSlow(ctx, source, nil, func(ctx context.Context, consume consumer) error {
		return l.run(ctx, argv, consume)
	})
}

func (l Loader) run(ctx context.Context, argv []string, consume consumer) error {
	running, kill := context.WithCancel(ctx)
	defer kill()
	cmd := exec.CommandContext(running, argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = time.Second // for a child of its own that keeps a pipe open
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = l.read(ctx, out, 0, func(secret []byte) error {
		// What a command printed before it failed is not the secret.
		if err := cmd.Wait(); err != nil {
			return err
		}
		return consume(secret)
	})
	if cmd.ProcessState == nil {
		kill()
		// It was killed: why is in err.
		_ = cmd.Wait()
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
