package load_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// The child asks on its terminal, until its standard input ends, and prints what
// came of it.
func init() {
	children["terminal"] = func() {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			_, _ = os.Stdin.Read(make([]byte, 1))
			cancel()
		}()
		session, err := enclave.NewSession(enclave.Config{AllowUnlocked: testenv.AllowUnlocked})
		if err != nil {
			fmt.Print(err)
			return
		}
		e, err := load.Loader{Session: session}.Terminal(ctx, "Password: ")
		switch {
		case errors.Is(err, load.ErrNotTerminal):
			fmt.Print("no terminal")
		case errors.Is(err, load.ErrInterrupted):
			fmt.Print("interrupted")
		case errors.Is(err, context.Canceled):
			fmt.Print("canceled")
		case errors.Is(err, enclave.ErrEmpty):
			fmt.Print("empty")
		case errors.Is(err, load.ErrTooLarge):
			fmt.Print("too large")
		case err != nil:
			fmt.Print(err)
		default:
			err := e.Use(func(secret []byte) error {
				for i := range secret {
					fmt.Printf("%02x", secret[i])
				}
				return nil
			})
			fmt.Print(err)
		}
	}
}

// The shell runs the child as a job of the terminal, and continues it when it stops.
func init() {
	children["shell"] = func() {
		job := testenv.Reexec()
		job.Env = append(os.Environ(), childEnv+"=terminal")
		job.Stdin, job.Stdout, job.Stderr = os.Stdin, os.Stdout, os.Stderr
		job.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 3}
		if err := job.Start(); err != nil {
			fmt.Print(err)
			return
		}
		for {
			var status unix.WaitStatus
			_, err := unix.Wait4(job.Process.Pid, &status, unix.WUNTRACED, nil)
			switch {
			case err == unix.EINTR:
			case err != nil || !status.Stopped():
				return
			default:
				termios, err := unix.IoctlGetTermios(3, unix.TCGETS)
				fmt.Printf("stopped, echoes %v; ", err == nil && termios.Lflag&unix.ECHO != 0)
				if err := job.Process.Signal(unix.SIGCONT); err != nil {
					fmt.Print(err)
				}
			}
		}
	}
}

// A terminal is a pseudo-terminal and the child on it.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	stdin  interface{ Close() error }
	stdout bytes.Buffer
	shown  []byte
}

// lockable skips the test where a child could lock nothing, whose limit is its own.
func lockable(t *testing.T) {
	t.Helper()
	testenv.Lockable(t, os.Getpagesize())
}

func openTerminal(t *testing.T, child string) *terminal {
	t.Helper()
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED: an emulator passes signals on as it likes")
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	s := &terminal{t: t, master: master}
	var number uint32
	s.control(func(fd int) error {
		n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
		number = n
		return errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	})
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	s.cmd = testenv.Reexec()
	s.cmd.Env = append(os.Environ(), childEnv+"="+child)
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout = &s.stdout
	s.cmd.Stderr = os.Stderr
	s.cmd.ExtraFiles = []*os.File{slave}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *terminal) control(f func(fd int) error) {
	s.t.Helper()
	raw, err := s.master.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { err = f(int(fd)) }), err)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// echoes reports whether the terminal shows what is typed.
func (s *terminal) echoes() (on bool) {
	s.t.Helper()
	s.control(func(fd int) error {
		termios, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		on = err == nil && termios.Lflag&unix.ECHO != 0
		return err
	})
	return on
}

// prompted waits for the prompt.
func (s *terminal) prompted() {
	s.t.Helper()
	if err := s.master.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	b := make([]byte, 100)
	for !bytes.HasSuffix(s.shown, []byte("Password: ")) {
		n, err := s.master.Read(b)
		if err != nil {
			s.t.Fatalf("%v after %q", err, s.shown)
		}
		s.shown = append(s.shown, b[:n]...)
	}
	if s.echoes() {
		s.t.Error("the terminal echoes while the secret is asked for")
	}
}

func (s *terminal) typed(text string) {
	s.t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the child, and checks what it said and how it left the terminal.
func (s *terminal) ends(want string) {
	s.t.Helper()
	before := s.shown
	err := s.cmd.Wait()
	s.stdin.Close()
	if got := s.stdout.String(); err != nil || got != want {
		s.t.Errorf("%q, %v; want %q", got, err, want)
	}
	if !s.echoes() {
		s.t.Error("the echo is off")
	}
	if strings.Contains(string(before), content) {
		s.t.Error("the terminal shows the secret")
	}
}

func TestTerminalReadsALineWithoutEcho(t *testing.T) {
	t.Parallel()
	lockable(t)
	s := openTerminal(t, "terminal")
	s.prompted()
	s.typed("wrong\x15" + content + "x\x7f\n") // the system's keys edit the line
	s.ends(fmt.Sprintf("%x<nil>", content))
	b := make([]byte, 1000)
	n, _ := s.master.Read(b)
	if got := strings.TrimSpace(string(b[:n])); got != "" {
		t.Errorf("the terminal shows %q", got)
	}
}

func TestTerminalThatEndsIsEmpty(t *testing.T) {
	t.Parallel()
	lockable(t)
	for _, keys := range []string{"\n", "\x04"} {
		s := openTerminal(t, "terminal")
		s.prompted()
		s.typed(keys)
		s.ends("empty")
	}
}

func TestTerminalIsRestoredWhateverEndsIt(t *testing.T) {
	t.Parallel()
	lockable(t)
	for name, end := range map[string]func(s *terminal){
		"interrupted": func(s *terminal) { s.typed("half\x03") },
		"canceled":    func(s *terminal) { s.stdin.Close() },
	} {
		s := openTerminal(t, "terminal")
		s.prompted()
		end(s)
		s.ends(name)
	}
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT} {
		s := openTerminal(t, "terminal")
		s.prompted()
		s.typed("half")
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		s.ends("interrupted")
	}
}

// A shell continues a program that it stopped. The leader of a session has no shell, and
// is not stopped.
func TestTerminalAsksAgainAfterTheStopKey(t *testing.T) {
	t.Parallel()
	lockable(t)
	for child, said := range map[string]string{"shell": "stopped, echoes true; ", "terminal": ""} {
		s := openTerminal(t, child)
		s.prompted()
		s.typed("half\x1a")
		s.shown = nil
		s.prompted()
		s.typed(content + "\n")
		s.ends(fmt.Sprintf("%s%x<nil>", said, content))
	}
}

// The system drops what is behind 4,095 bytes of a line, and says nothing.
func TestTerminalRefusesALineThatMayHaveBeenCut(t *testing.T) {
	t.Parallel()
	lockable(t)
	for size, want := range map[int]string{
		4094: fmt.Sprintf("%x<nil>", strings.Repeat("x", 4094)),
		4095: "too large",
		4096: "too large",
		9000: "too large",
	} {
		s := openTerminal(t, "terminal")
		s.prompted()
		s.typed(strings.Repeat("x", size) + "\n")
		s.ends(want)
	}
}

func TestWithoutATerminalThereIsAnError(t *testing.T) {
	t.Parallel()
	lockable(t)
	cmd := testenv.Reexec()
	cmd.Env = append(os.Environ(), childEnv+"=terminal")
	stdin, err := cmd.StdinPipe() // stays open
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.Output()
	if err != nil || string(out) != "no terminal" {
		t.Errorf("%q, %v", out, err)
	}
}
