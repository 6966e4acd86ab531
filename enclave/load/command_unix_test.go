//go:build unix

package load_test

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
)

func TestCommandReadsWhatAProgramPrints(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	e, err := l.Command(t.Context(), "echo", content)
	holds(t, e, err, []byte(content))
	e, err = l.Command(t.Context(), "printf", "%s", "$HOME; true")
	holds(t, e, err, []byte("$HOME; true")) // no shell
}

func TestACommandThatFailsGivesNoSecret(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	l.MaxSize = 1000
	var exit *exec.ExitError
	e, err := l.Command(t.Context(), "sh", "-c", "printf '"+content+"'; exit 3")
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("%v", err)
	}
	refused(t, e, err, err, "cmd:sh")
	e, err = l.Command(t.Context(), "true")
	refused(t, e, err, enclave.ErrEmpty, "cmd:true")
	e, err = l.Command(t.Context(), "yes", content)
	refused(t, e, err, load.ErrTooLarge, "cmd:yes")
	e, err = l.Command(t.Context(), "no-such-program")
	refused(t, e, err, exec.ErrNotFound, "cmd:no-such-program")
	e, err = l.Command(t.Context())
	refused(t, e, err, fs.ErrInvalid, "cmd:")
}

func TestTheEndOfTheContextKillsACommand(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e, err := l.Command(ctx, "sleep", "1000")
	refused(t, e, err, context.DeadlineExceeded, "cmd:sleep")
	// Its child keeps the pipe open.
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e, err = l.Command(ctx, "sh", "-c", "sleep 5 2>&- & wait")
	refused(t, e, err, context.DeadlineExceeded, "cmd:sh")
	// It goes on without its output.
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e, err = l.Command(ctx, "sh", "-c", "echo "+content+"; exec >&-; exec sleep 1000")
	refused(t, e, err, context.DeadlineExceeded, "cmd:sh")
}
