//go:build unix || windows

package main

import (
	"crypto/ed25519"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

const (
	inFlightSeed = "in flight"
	draining     = "draining"
)

// signal sends a signal to the child.
func (c *child) signal(s os.Signal) {
	c.t.Helper()
	if err := testenv.Raise(c.cmd.Process.Pid, s); err != nil {
		c.t.Fatal(err)
	}
}

// beginSigning starts a server with one key, and a request that is under way.
func beginSigning(t *testing.T, args ...string) (*child, *slow, []byte) {
	t.Helper()
	message := []byte("in flight")
	private := ed25519.NewKeyFromSeed(seeded(inFlightSeed, ed25519.SeedSize))
	server := start(t, spec{args: append([]string{"-keys", "0"}, args...)})
	server.client().call(http.StatusCreated, "POST", "/v1/keys", keyBody("k", "ed25519", private.Seed()))
	s, first := server.begin("/v1/keys/k/sign", messageBody(message))
	if first.StatusCode != http.StatusContinue {
		t.Fatalf("status %d", first.StatusCode)
	}
	return server, s, ed25519.Sign(private, message)
}

func TestSIGTERMLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		server, request, want := beginSigning(t, "-read-timeout", "60s", "-request-timeout", "60s", "-drain-timeout", "60s")
		server.signal(s)
		server.await(draining)
		if a := request.finish(); a.status != http.StatusOK || string(a.Signature) != string(want) {
			t.Errorf("%v: status %d: %s", s, a.status, a.raw)
		}
		server.wait(exitOK)
	}
}

func TestDrainEnds(t *testing.T) {
	t.Parallel()
	server, _, _ := beginSigning(t, "-read-timeout", "60s", "-drain-timeout", "100ms")
	server.signal(syscall.SIGTERM)
	server.wait(exitFailed)
	if !strings.Contains(server.errors(), "requests were still under way after 100ms") {
		t.Errorf("the error:\n%s", server.errors())
	}
}

func TestSecondSignalExitsNow(t *testing.T) {
	t.Parallel()
	for second, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		server, _, _ := beginSigning(t, "-read-timeout", "60s", "-drain-timeout", "10m")
		server.signal(syscall.SIGINT)
		server.await(draining)
		server.signal(second)
		server.wait(code)
		if !strings.Contains(server.errors(), "wiped") {
			t.Errorf("it does not say that it wiped:\n%s", server.errors())
		}
	}
}

// A signal while keys come from a pipe that stays open, and while they are made.
func TestSignalWhileFilling(t *testing.T) {
	t.Parallel()
	needLocked(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	c := launch(t, spec{args: []string{"-load", "-"}, stdinFile: r})
	if _, err := w.WriteString("bad line\n"); err != nil {
		t.Fatal(err)
	}
	c.await("line 1 refused")
	c.signal(syscall.SIGTERM)
	c.wait(exitOK)

	c = launch(t, spec{args: []string{"-keys", "1000000000"}})
	c.await("making keys: 10000 of")
	c.signal(syscall.SIGTERM)
	c.wait(exitOK)
	if c.output() != "" {
		t.Errorf("it served:\n%s", c.output())
	}
}

// Nothing is left of a server that was killed: no file, its port is free, and
// the next one starts as if it were the first.
func TestKillLeavesNothing(t *testing.T) {
	t.Parallel()
	needLocked(t)
	dir := publicDir(t)
	list := samples(10)
	addr := "127.0.0.1:0"
	for round := 0; round < 3; round++ {
		server := launch(t, spec{args: []string{"-load", "-", "-addr", addr}, stdin: ndjson(list), dir: dir, tmp: dir})
		if !server.listens() {
			if l, err := net.Listen("tcp", addr); err == nil {
				l.Close()
				t.Fatalf("the next one does not start:\n%s", server.errors())
			}
			addr, round = "127.0.0.1:0", -1 // another program has the port
			continue
		}
		c := server.client()
		c.checkSamples(list)
		addr = strings.TrimPrefix(server.base, "http://")
		if err := server.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-server.exited
		if _, err := c.try("GET", "/healthz", ""); err == nil {
			t.Error("somebody answers for a server that was killed")
		}
		left, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range left {
			t.Errorf("left behind: %s", file.Name())
		}
	}
}
