package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// memlockEnv is the limit on locked memory that a child gives itself, in bytes.
const memlockEnv = "KEYSERVER_TEST_MEMLOCK"

// patience bounds every wait for something that must come: it is never waited
// out, unless the test fails.
const patience = 2 * time.Minute

// smallestLimit is what the server needs to start, with some room.
var smallestLimit = uint64(testenv.SmallLimit() / 2)

// A spec says how to start a server.
type spec struct {
	args    []string
	stdin   string
	memlock string // the child's limit in bytes, for an unprivileged child; empty for the limit of the tests

	stdinFile *os.File        // in place of stdin
	dir, tmp  string          // its working directory and the one for temporary files
	env       []string        // besides this process's
	below     []string        // a command that starts this test binary, in place of itself
	before    func(*exec.Cmd) // what is done to the command first
}

// A child is a server in a process of its own.
type child struct {
	t      testing.TB
	cmd    *exec.Cmd
	base   string // of its URLs; empty if it never listened
	exited chan struct{}
	code   int // valid once exited is closed

	mu     sync.Mutex // protects what follows
	stdout bytes.Buffer
	stderr bytes.Buffer
	heard  chan struct{} // closed and replaced whenever something was written
}

// needLocked skips where a server can't start. That it says so then is a test
// of its own.
func needLocked(t testing.TB) {
	t.Helper()
	limits, err := locked.CurrentLimits()
	if err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
	}
	if !limits.Exempt && limits.Hard < smallestLimit {
		t.Skipf("SKIPPED, NOTHING TESTED: the limit on locked memory is %d bytes, a server needs %d", limits.Hard, smallestLimit)
	}
}

// start starts a server and waits until it listens.
func start(t testing.TB, s spec) *child {
	t.Helper()
	needLocked(t)
	c := launch(t, s)
	if !c.listens() {
		c.t.Fatalf("the server exited with %d and never listened:\n%s", c.code, c.errors())
	}
	return c
}

// listens waits until the server listens, or exits.
func (c *child) listens() bool {
	c.t.Helper()
	const listening = "listening on "
	if !c.says(listening, 1) {
		return false
	}
	_, rest, _ := strings.Cut(c.output(), listening)
	c.base, _, _ = strings.Cut(rest, "\n")
	return true
}

// launch starts a server and waits for nothing. The test ends it.
func launch(t testing.TB, s spec) *child {
	t.Helper()
	c := &child{t: t, exited: make(chan struct{}), heard: make(chan struct{})}
	c.cmd = command(t, s.memlock != "")
	if s.below != nil {
		c.cmd = exec.Command(s.below[0], s.below[1:]...)
	}
	if s.before != nil {
		s.before(c.cmd)
	}
	c.cmd.Args = append(c.cmd.Args, append([]string{"-addr", "127.0.0.1:0"}, s.args...)...)
	c.cmd.Env = append(os.Environ(), childEnv+"=1", memlockEnv+"="+s.memlock)
	c.cmd.Env = append(c.cmd.Env, s.env...)
	if s.tmp != "" {
		c.cmd.Env = append(c.cmd.Env, "TMPDIR="+s.tmp)
	}
	c.cmd.Stdin = strings.NewReader(s.stdin)
	if s.stdinFile != nil {
		c.cmd.Stdin = s.stdinFile
	}
	c.cmd.Stdout = c.listener(&c.stdout)
	c.cmd.Stderr = c.listener(&c.stderr)
	c.cmd.Dir = s.dir
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.exited)
		err := c.cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			c.tell(&c.stderr, []byte(err.Error()))
		}
		c.code = c.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		// Fails if it is over already, as it should.
		_ = c.cmd.Process.Kill()
		<-c.exited
		if t.Failed() {
			t.Logf("the server's standard error:\n%s", c.errors())
		}
		if strings.Contains(c.errors(), "DATA RACE") {
			t.Errorf("a data race in the server:\n%s", c.errors())
		}
	})
	return c
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (c *child) listener(to *bytes.Buffer) io.Writer {
	return writerFunc(func(b []byte) (int, error) {
		c.tell(to, b)
		return len(b), nil
	})
}

func (c *child) tell(to *bytes.Buffer, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to.Write(b)
	close(c.heard)
	c.heard = make(chan struct{})
}

func (c *child) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stdout.String()
}

func (c *child) errors() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stderr.String()
}

// await waits until the child wrote a whole line with the text in it.
func (c *child) await(text string) {
	c.t.Helper()
	c.awaitTimes(text, 1)
}

// awaitTimes waits until the child wrote the text in so many whole lines.
func (c *child) awaitTimes(text string, times int) {
	c.t.Helper()
	if !c.says(text, times) {
		c.t.Fatalf("the server exited with %d and never said %q:\n%s", c.code, text, c.errors())
	}
}

// says is awaitTimes that returns false if the child exits first.
func (c *child) says(text string, times int) bool {
	c.t.Helper()
	timeout := time.After(patience)
	for exited := false; ; {
		c.mu.Lock()
		heard, all := c.heard, c.stdout.String()+"\n"+c.stderr.String()
		c.mu.Unlock()
		if i := strings.LastIndexByte(all, '\n'); strings.Count(all[:i], text) >= times {
			return true
		}
		if exited {
			return false
		}
		select {
		case <-heard:
		case <-c.exited:
			exited = true // and all that it wrote is here
		case <-timeout:
			c.t.Fatalf("the server does not say %q:\n%s", text, c.errors())
		}
	}
}

// wait waits for the child's end and checks its exit code.
func (c *child) wait(code int) {
	c.t.Helper()
	select {
	case <-c.exited:
	case <-time.After(patience):
		c.t.Fatal("the server does not exit")
	}
	if c.code != code {
		c.t.Fatalf("the server exited with %d, want %d:\n%s", c.code, code, c.errors())
	}
}
