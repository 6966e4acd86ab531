package main

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// publicDir returns an empty directory that any user may read and write, unlike
// t.TempDir's.
func publicDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "keyserver")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A sample is a key to load, and what it must sign.
type sample struct {
	line      keyLine
	message   []byte
	signature []byte
}

// samples returns keys of both types and of all their forms.
func samples(count int) []sample {
	var list []sample
	for i := range count {
		s := sample{message: seeded(fmt.Sprint("message", i), i%200)}
		s.line.Name = fmt.Sprintf("sample-%05d", i)
		switch seed := seeded(fmt.Sprint("sample", i), 32); i % 3 {
		case 0:
			s.line.Type, s.line.Key = "ed25519", b64(seed)
			s.signature = ed25519.Sign(ed25519.NewKeyFromSeed(seed), s.message)
		case 1:
			private := ed25519.NewKeyFromSeed(seed)
			s.line.Type, s.line.Key = "ed25519", b64(private)
			s.signature = ed25519.Sign(private, s.message)
		default:
			key := seeded(fmt.Sprint("sample", i), 1+i%100)
			s.line.Type, s.line.Key = "hmac-sha256", b64(key)
			s.signature = macOf(key, s.message)
		}
		list = append(list, s)
	}
	return list
}

func ndjson(list []sample) string {
	var b strings.Builder
	for _, s := range list {
		line, err := json.Marshal(s.line)
		if err != nil {
			panic(err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func (c *client) checkSamples(list []sample) {
	c.t.Helper()
	for _, s := range list {
		a := c.call(http.StatusOK, "POST", keyPath(s.line.Name)+"/sign", messageBody(s.message))
		if string(a.Signature) != string(s.signature) {
			c.t.Fatalf("%s: signature %x, want %x", s.line.Name, a.Signature, s.signature)
		}
	}
}

// A restart is a new process with the same file: the same keys, the same
// signatures, and nothing of the first that the second needs.
func TestLoadAndRestart(t *testing.T) {
	t.Parallel()
	list := samples(300)
	path := filepath.Join(publicDir(t), "keys.ndjson")
	if err := os.WriteFile(path, []byte(ndjson(list)), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		server := start(t, spec{args: []string{"-load", path}})
		server.client().checkSamples(list)
		if !strings.Contains(server.output(), "300 (200 ed25519, 100 hmac-sha256)") {
			t.Errorf("the summary:\n%s", server.output())
		}
		if err := server.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-server.exited
	}
}

func TestLoadRefusesBadLines(t *testing.T) {
	t.Parallel()
	list := samples(9)
	good := strings.Split(strings.TrimSpace(ndjson(list)), "\n")
	const secret = "c2VjcmV0IQ=="
	lines := []struct{ text, refusal string }{
		{good[0], ""},
		{"not JSON " + secret, "not a JSON object"},
		{"", ""},
		{good[1] + "\r", ""},
		{good[1], "a key of that name exists"},
		{strings.Replace(good[2], `"key"`, `"\u006bey"`, 1), ""},
		{strings.ReplaceAll(good[3], "=", `\u003d`), ""},
		{strings.ReplaceAll(good[4], "/", `\/`), ""},
		{`{"name":"n","type":"ed25519","key":"` + secret + `"}`, "wrong key length: 7 bytes"},
		{`{"name":"n","type":"ed25519","key":"!` + secret + `"}`, "not base64"},
		{`{"name":"n","type":"hmac-sha256","key":""}`, "the key is empty"},
		{`{"name":"n","type":"hmac-sha256"}`, "the field key is missing"},
		{`{"name":"n","type":"` + secret + `","key":"` + secret + `"}`, "unknown key type"},
		{`{"name":"n","type":"hmac-sha256","key":"` + secret + `","key":"` + secret + `"}`, "twice"},
		{`{"name":"` + strings.Repeat("x", 129) + `","type":"hmac-sha256","key":"` + secret + `"}`, "bad name"},
		{strings.Repeat("x", 100_000), "more than 2560 bytes"},
		{good[5], ""},
		{"  \t ", ""},
		{strings.Join(good[6:8], " "), "something follows the object"},
		{good[8], ""},
	}
	var input, want []string
	for i, l := range lines {
		input = append(input, l.text)
		if l.refusal != "" {
			want = append(want, fmt.Sprintf("line %d refused: ", i+1))
		}
	}
	server := start(t, spec{args: []string{"-load", "-"}, stdin: strings.Join(input, "\n")})
	server.await(want[len(want)-1]) // it comes through another pipe than the address
	stderr := server.errors()
	for i, l := range lines {
		prefix := fmt.Sprintf("line %d refused: ", i+1)
		_, rest, found := strings.Cut(stderr, prefix)
		rest, _, _ = strings.Cut(rest, "\n")
		if found != (l.refusal != "") || !strings.Contains(rest, l.refusal) {
			t.Errorf("line %d: %q, want %q", i+1, rest, l.refusal)
		}
	}
	if strings.Contains(stderr, secret) || strings.Contains(stderr, "secret") {
		t.Errorf("a refusal repeats the line:\n%s", stderr)
	}
	if fields := strings.Fields(server.output()); !strings.Contains(strings.Join(fields, " "), fmt.Sprintf("lines refused %d ", len(want))) {
		t.Errorf("the summary:\n%s", server.output())
	}
	server.client().checkSamples(append(list[:6:6], list[8]))
}

func TestLoadFails(t *testing.T) {
	t.Parallel()
	needLocked(t)
	dir := publicDir(t)
	for _, path := range []string{filepath.Join(dir, "none"), dir} {
		c := launch(t, spec{args: []string{"-load", path}})
		c.wait(exitFailed)
		if !strings.Contains(c.errors(), "loading keys: ") || !strings.Contains(c.errors(), path) {
			t.Errorf("loading %s:\n%s", path, c.errors())
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-h"}, exitOK, "hmac-sha256"},
		{[]string{"-nonsense"}, exitUsage, "-nonsense"},
		{[]string{"extra"}, exitUsage, `"extra"`},
		{[]string{"-keys", "-1"}, exitUsage, "-keys is negative"},
		{[]string{"-addr", "0.0.0.0:1"}, exitUsage, "no loopback address"},
		{[]string{"-addr", ":1"}, exitUsage, "no loopback address"},
		{[]string{"-addr", "1"}, exitUsage, "missing port"},
		{[]string{"-allow-host", "host:80"}, exitUsage, "without a port"},
		{[]string{"-allow-host", ""}, exitUsage, "not the name of a host"},
		{[]string{"-locked-bytes", "0"}, exitUsage, "-locked-bytes"},
		{[]string{"-key", "k"}, exitUsage, "want NAME=REF"},
		{[]string{"-key", "=file:x"}, exitUsage, "bad name"},
		{[]string{"-key", "k=env:X"}, exitUsage, "want file:PATH or credential:NAME"},
		{[]string{"-key", "k=file:"}, exitUsage, "nothing follows file:"},
		{[]string{"-token", "hunter2"}, exitUsage, "want file:PATH or credential:NAME"},
		{[]string{"-reload-interval", "0"}, exitUsage, "-reload-interval"},
		{[]string{"-log-format", "xml"}, exitUsage, "-log-format"},
		{[]string{"-log-level", "loud"}, exitUsage, "-log-level"},
	} {
		server := launch(t, spec{args: c.args})
		server.wait(c.code)
		if !strings.Contains(server.errors(), c.want) {
			t.Errorf("%q says:\n%s", c.args, server.errors())
		}
	}
}
