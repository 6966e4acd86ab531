package load

import (
	"context"

	"github.com/memkeep/memkeep/enclave"
)

// Terminal prints the prompt on the process's terminal and reads a line there
// without echo. It uses the controlling terminal (/dev/tty, on Windows the
// console), so standard input and output may be redirected; a process that has
// none gets [ErrNotTerminal].
//
// The terminal is restored whatever ends the reading: the line, ctx, a panic, or
// a signal. A signal that asks the program to end (SIGINT, SIGTERM, SIGHUP,
// SIGQUIT) makes Terminal return [ErrInterrupted] rather than end the program
// with the echo off: the caller ends it. A stopped program (SIGTSTP) asks again
// when it goes on. On Windows ctx is not looked at while the console waits. Only
// one call at a time makes sense.
func (l Loader) Terminal(ctx context.Context, prompt string) (*enclave.Enclave, error) {
	return l.sealSlow(ctx, "terminal", nil, func(ctx context.Context, take taker) error {
		return l.readTerminal(ctx, prompt, take)
	})
}
