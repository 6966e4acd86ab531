//go:build aix || darwin || dragonfly || freebsd || linux || netbsd || openbsd || solaris

package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// A tty is the controlling terminal while its echo is off.
type tty struct {
	fd     int
	before unix.Termios
	prompt string
	signal chan os.Signal
}

func (l Loader) readTerminal(ctx context.Context, prompt string, consume consumer) error {
	// Not with package os, whose poller can't watch a terminal on every system.
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("%w: /dev/tty: %w", ErrNotTerminal, err)
	}
	defer unix.Close(fd)
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return fmt.Errorf("%w: /dev/tty: %w", ErrNotTerminal, err)
	}
	t := &tty{fd: fd, before: *before, prompt: prompt, signal: make(chan os.Signal, 8)}
	if err := t.read(ctx, l, consume); err != nil {
		return err
	}
	// One that came behind the line is not lost.
	for {
		select {
		case s := <-t.signal:
			if s != unix.SIGTSTP {
				return interrupted(s)
			}
			if err := stop(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// read reads a line, and restores the terminal whatever happens.
func (t *tty) read(ctx context.Context, l Loader, consume consumer) error {
	// Before the echo goes, and until it is back.
	signal.Notify(t.signal, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGTSTP)
	defer signal.Stop(t.signal)
	defer t.restore()
	if err := t.ask(); err != nil {
		return err
	}
	return l.read(ctx, &line{tty: t, ctx: ctx}, 0, consume)
}

// ask turns the echo off and prints the prompt. The system goes on editing the
// line and turning keys into signals.
func (t *tty) ask() error {
	quiet := t.before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	// What was typed before belongs to no prompt, and may be on the screen.
	if err := unix.IoctlSetTermios(t.fd, setTermiosFlush, &quiet); err != nil {
		return err
	}
	_, err := unix.Write(t.fd, []byte(t.prompt))
	return err
}

// restore puts the terminal back, and ends the line that the user's return key
// did not end on the screen.
func (t *tty) restore() {
	// If the terminal is gone there is nothing to restore.
	_ = unix.IoctlSetTermios(t.fd, setTermiosFlush, &t.before)
	_, _ = unix.Write(t.fd, []byte("\n"))
}

// A line reads one line of the terminal. A locked buffer is all that it is read
// into.
type line struct {
	*tty
	ctx  context.Context
	done bool
	n    int // bytes read
}

// Read returns what the terminal has, and io.EOF after the end of the line.
func (t *line) Read(b []byte) (int, error) {
	for {
		if t.done {
			return 0, io.EOF
		}
		select {
		case <-t.ctx.Done():
			return 0, context.Cause(t.ctx)
		case s := <-t.signal:
			if err := t.handle(s); err != nil {
				return 0, err
			}
			continue
		default:
		}
		ready, err := readable(t.fd)
		if err != nil && err != unix.EINTR {
			return 0, err
		}
		if !ready {
			continue
		}
		n, err := unix.Read(t.fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		// The system gives a line at a time, or what fits; no byte is its end.
		t.done = n == 0 || b[n-1] == '\n'
		if t.n += n; t.done && t.n > longestLine {
			return 0, lineTooLong(longestLine)
		}
		return n, nil
	}
}

// handle ends the reading for a signal, or stops the process.
func (t *line) handle(s os.Signal) error {
	if s != unix.SIGTSTP {
		return interrupted(s)
	}
	t.restore()
	if err := stop(); err != nil {
		return err
	}
	return t.ask()
}

// stop stops the process, as SIGTSTP would have done, and returns when it goes on. It
// does nothing in the process group of the session's leader, which has no shell to
// continue it: in a container, or under ssh -t. There the system, too, ignores SIGTSTP.
func stop() error {
	session, err := unix.Getsid(0)
	if err != nil {
		return err
	}
	if group, err := unix.Getpgid(0); err != nil || group == session {
		return err
	}
	// The signal may reach another thread first, while this one runs on.
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, unix.SIGCONT)
	defer signal.Stop(goesOn)
	if err := unix.Kill(os.Getpid(), unix.SIGSTOP); err != nil {
		return err
	}
	<-goesOn
	return nil
}

// readable waits for input, for as long as a context or a signal may go unseen.
func readable(fd int) (bool, error) {
	const patience = 50_000 // microseconds
	if fd >= unix.FD_SETSIZE {
		return false, errors.New("too many files are open to wait for a terminal")
	}
	// Not poll, which does not know terminals on macOS.
	var set unix.FdSet
	set.Zero()
	set.Set(fd)
	n, err := unix.Select(fd+1, &set, nil, nil, &unix.Timeval{Usec: patience})
	return n > 0, err
}
