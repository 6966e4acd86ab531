package load

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/windows"
)

func (l Loader) readTerminal(ctx context.Context, prompt string, consume consumer) error {
	in, err := openConsole("CONIN$")
	if err != nil {
		return err
	}
	defer windows.CloseHandle(in)
	out, err := openConsole("CONOUT$")
	if err != nil {
		return err
	}
	defer windows.CloseHandle(out)
	var before uint32
	if err := windows.GetConsoleMode(in, &before); err != nil {
		return fmt.Errorf("%w: the console: %w", ErrNotTerminal, err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM) // or the runtime ends the process
	defer signal.Stop(signals)
	quiet := before&^windows.ENABLE_ECHO_INPUT | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT
	if err := windows.SetConsoleMode(in, quiet); err != nil {
		return err
	}
	defer func() {
		// If the console is gone there is nothing to restore.
		_ = windows.SetConsoleMode(in, before)
		_ = print(out, "\r\n")
	}()
	if err := print(out, prompt); err != nil {
		return err
	}
	if err := l.readConsole(ctx, in, consume); err != nil {
		return err
	}
	select {
	case s := <-signals: // behind the line
		return interrupted(s)
	default:
		return nil
	}
}

// maxLine is the longest line, in UTF-16 units, that is read from a console, with its
// \r\n. Some consoles drop what follows, some keep it for the next reader.
const maxLine = 2048

func openConsole(name string) (windows.Handle, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	h, err := windows.CreateFile(path, windows.GENERIC_READ|windows.GENERIC_WRITE,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrNotTerminal, name, err)
	}
	return h, nil
}

func print(out windows.Handle, text string) error {
	units := utf16.Encode([]rune(text))
	if len(units) == 0 {
		return nil
	}
	var n uint32
	return windows.WriteConsole(out, &units[0], uint32(len(units)), &n, nil)
}

// readConsole reads a line as UTF-16 into one locked buffer and encodes it in
// another. Package os would read it through a buffer on the heap.
func (l Loader) readConsole(ctx context.Context, in windows.Handle, consume consumer) (err error) {
	wide, err := l.session().NewBufferContext(ctx, 2*maxLine)
	if err != nil {
		return err
	}
	defer func() { err = join(err, wide.Destroy()) }()
	return wide.Use(func(b []byte) error {
		units := unsafe.Slice((*uint16)(unsafe.Pointer(&b[0])), maxLine)
		var n uint32
		if err := windows.ReadConsole(in, &units[0], maxLine, &n, nil); err != nil {
			return err
		}
		switch {
		case n == 0: // an empty line has its \r\n
			return fmt.Errorf("%w: the console gave no line", ErrInterrupted)
		case n == maxLine || units[n-1] != '\n':
			// What is left of it is not for the next reader.
			return join(lineTooLong(maxLine-2), windows.FlushConsoleInputBuffer(in))
		}
		return l.read(ctx, &encoder{units: units[:n]}, 3*int(n), consume)
	})
}

// An encoder reads UTF-16 as UTF-8. The buffer must hold all of it.
type encoder struct{ units []uint16 }

// Read encodes whole characters as long as they fit.
func (e *encoder) Read(b []byte) (n int, err error) {
	for len(e.units) > 0 && len(b)-n >= utf8.UTFMax {
		r, used := rune(e.units[0]), 1
		if utf16.IsSurrogate(r) && len(e.units) > 1 {
			r, used = utf16.DecodeRune(r, rune(e.units[1])), 2
		}
		n += utf8.EncodeRune(b[n:], r)
		e.units = e.units[used:]
	}
	if n == 0 && len(e.units) == 0 {
		return 0, io.EOF
	}
	return n, nil
}
