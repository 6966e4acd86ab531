package load

import (
	"context"

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
// continues. On Windows it does not observe ctx while the console waits. Call it
// from one goroutine at a time.
func (l Loader) Terminal(ctx context.Context, prompt string) (*enclave.Enclave, error) {
	return l.sealSlow(ctx, "terminal", nil, func(ctx context.Context, consume consumer) error {
		return l.readTerminal(ctx, prompt, consume)
	})
}
