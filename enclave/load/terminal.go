package load

import (
	"context"
	"fmt"
	"os"

	"github.com/memkeep/memkeep/enclave"
)

// Terminal prints the prompt on the process's terminal and reads a line without
// echo. It uses the controlling terminal (/dev/tty, on Windows the console), so
// standard input and output may be redirected. If the process has none, the error is
// [ErrNotTerminal].
//
// Terminal restores the terminal whatever ends the reading: the line, ctx, a panic,
// or a signal. On SIGINT, SIGTERM, SIGHUP and SIGQUIT it returns [ErrInterrupted],
// and the caller ends the program. After SIGTSTP it prompts again when the program
// continues. On Windows the signals are Ctrl-C, Ctrl-Break and the closing of the
// console, and it does not observe ctx while the console waits. Call it from one
// goroutine at a time.
//
// Systems drop the end of a long line. So Terminal returns [ErrTooLarge] for a line that
// may have been cut: on Linux of more than 4,094 bytes, on macOS and the BSDs 1,022, on
// AIX and Solaris 254, on Windows 2,045 UTF-16 units. Longer secrets come from a file or
// a pipe.
func (l Loader) Terminal(ctx context.Context, prompt string) (*enclave.Enclave, error) {
	return l.sealSlow(ctx, "terminal", nil, func(ctx context.Context, consume consumer) error {
		return l.readTerminal(ctx, prompt, consume)
	})
}

func interrupted(s os.Signal) error { return fmt.Errorf("%w by a signal: %v", ErrInterrupted, s) }

// lineTooLong says that a line has more than the most of which nothing is dropped.
func lineTooLong(most int) error {
	return fmt.Errorf("%w: a terminal may drop what is behind the first %d characters of a line: use a file or a pipe",
		ErrTooLarge, most-1)
}
