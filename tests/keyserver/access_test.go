package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A browser that was led here by a name of somebody else's gets nothing, at any
// path.
func TestHostHeaderMustNameThisServer(t *testing.T) {
	t.Parallel()
	server := start(t, spec{args: []string{"-keys", "1", "-allow-host", "Keys.Example.", "-allow-host", "other"}})
	c := server.client()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.base, "http://"), ":")
	paths := []string{"/", "/metrics", "/healthz", "/v1/keys", "/v1/keys/key-000000", "/none"}
	for host, allowed := range map[string]bool{
		"127.0.0.1:" + port: true, "127.0.0.1": true, "127.0.0.2": true, "localhost": true, "LOCALHOST:" + port: true,
		"localhost.": true, "[::1]:" + port: true, "[::1]": true, "keys.example": true, "KEYS.example:1": true, "other": true,
		"evil.example": false, "evil.example:" + port: false, "127.0.0.1.evil.example": false, "localhost.evil.example": false,
		"evil.localhost": false, "0.0.0.0": false, "0.0.0.0:" + port: false, "192.168.1.1": false, "[::]": false, "sub.keys.example": false,
	} {
		for _, path := range paths {
			request, err := http.NewRequest("GET", server.base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = host
			a, err := c.send(request)
			if err != nil {
				t.Fatal(err)
			}
			if allowed == (a.status == http.StatusMisdirectedRequest) {
				t.Errorf("Host %q at %s: status %d: %.80s", host, path, a.status, a.raw)
			}
			if !allowed && (a.Error.Code != "wrong_host" || strings.Contains(a.raw, "key-0")) {
				t.Errorf("Host %q at %s: %.200s", host, path, a.raw)
			}
		}
	}
	if metrics := c.call(http.StatusOK, "GET", "/metrics", "").raw; !strings.Contains(metrics,
		`keyserver_requests_total{code="421",method="other",route="none"}`) {
		t.Error("the metrics do not count the requests with a wrong Host")
	}
}

// writeFile writes a file that any user may read.
func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const testToken = "bearer-Token_of.the~tests+/=="

func TestTokenIsWantedUnderV1(t *testing.T) {
	t.Parallel()
	path := filepath.Join(publicDir(t), "it's a token")
	writeSecret(t, path, testToken+"\r\n")
	server := start(t, spec{args: []string{"-keys", "1", "-token", "file:" + path}})
	c := server.client()
	try := func(header, method, path string) answer {
		t.Helper()
		request, err := http.NewRequest(method, server.base+path, strings.NewReader(messageBody(nil)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if header != "" {
			request.Header.Set("Authorization", header)
		}
		a, err := c.send(request)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	const sign = "/v1/keys/key-000000/sign"
	for _, r := range []struct{ method, path string }{
		{"POST", sign}, {"POST", "/v1/keys/key-000000/verify"}, {"POST", "/v1/keys"},
		{"GET", "/v1/keys"}, {"GET", "/v1/keys/key-000000"}, {"DELETE", "/v1/keys/key-000000"}, {"GET", "/v1/keys/none"},
	} {
		for _, header := range []string{
			"", "Bearer", "Bearer ", "Bearer x", "Bearer " + testToken[:len(testToken)-1], "Bearer " + testToken + "x",
			"Basic " + testToken, testToken, "Bearer " + strings.ToUpper(testToken), "Bearer " + strings.Repeat("x", 8000),
		} {
			a := try(header, r.method, r.path)
			if a.status != http.StatusUnauthorized || a.Error.Code != "unauthorized" || a.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s with %.40q: status %d: %s", r.method, r.path, header, a.status, a.raw)
			}
		}
	}
	for _, header := range []string{"Bearer " + testToken, "bearer " + testToken, "BEARER  " + testToken} {
		if a := try(header, "POST", sign); a.status != http.StatusOK {
			t.Errorf("with %q: status %d: %s", header, a.status, a.raw)
		}
	}
	for _, open := range []string{"/", "/metrics", "/healthz"} {
		if a := try("", "GET", open); a.status != http.StatusOK {
			t.Errorf("%s without the token: status %d", open, a.status)
		}
	}
	for _, text := range []string{server.output(), server.errors(), try("", "GET", "/").raw} {
		if strings.Contains(text, testToken) {
			t.Error("the token is shown")
		}
	}
	if want := `'\''s a token'`; !strings.Contains(server.output(), want) {
		t.Errorf("the curl lines do not quote the token's file:\n%s", server.output())
	}
}

// writeSecret writes a file that only its owner may read, which is the user that
// servers with a limit of their own run as, if there is a choice.
func writeSecret(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		const nobody = 65534
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTokenFileThatIsNoneEndsTheServer(t *testing.T) {
	t.Parallel()
	needLocked(t)
	dir := publicDir(t)
	const secret = "not-to-be-shown"
	for name, text := range map[string]string{
		"empty": "", "blank line": "\n", "two lines": secret + "\n" + secret + "\n", "long": strings.Repeat(secret, 100),
		"spaced": secret + " " + secret, "latin": secret + "\xe9",
	} {
		writeSecret(t, filepath.Join(dir, name), text)
	}
	for name, want := range map[string]string{
		"empty": "is empty", "blank line": "is empty", "two lines": "more than one line", "long": "more than 1024 bytes",
		"spaced": "a space, or a character", "latin": "a space, or a character", "missing": "missing", ".": "it is a directory",
	} {
		c := launch(t, spec{args: []string{"-token", "file:" + filepath.Join(dir, name)}})
		c.wait(exitFailed)
		if !strings.Contains(c.errors(), "the token: ") || !strings.Contains(c.errors(), want) || strings.Contains(c.errors(), secret) {
			t.Errorf("%s:\n%s", name, c.errors())
		}
	}
}
