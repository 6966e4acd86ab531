//go:build unix

package main

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// browse returns the page that a headless Chromium makes of url, as its source. The
// browser takes every name of a host for this machine's.
func browse(t *testing.T, url string) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED, NOTHING TESTED: there is no chromium to test with: apt-get install --no-install-recommends chromium")
	}
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: under an emulator")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := publicDir(t)
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--user-data-dir="+dir,
		"--host-resolver-rules=MAP * 127.0.0.1",
		"--dump-dom", url)
	cmd.Env = append(cmd.Environ(), "HOME="+dir)
	page, err := cmd.Output()
	if err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: chromium does not run here: %v", err)
	}
	return string(page)
}

// A browser shows the status page, which has no script, and shows nothing of this server
// to a page whose name was led here.
func TestBrowser(t *testing.T) {
	t.Parallel()
	server := start(t, spec{args: []string{"-keys", "1235"}})
	page := browse(t, server.base+"/")
	for _, want := range []string{"<title>keyserver: status</title>", `<th scope="row">secrets</th><td>1,235</td>`, "<meter "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/metrics", "/v1/keys"} {
		page := browse(t, "http://"+net.JoinHostPort("rebound.example", port)+path)
		if !strings.Contains(page, "wrong_host") || strings.Contains(page, "key-0") || strings.Contains(page, "1,235") {
			t.Errorf("%s under another name:\n%s", path, page)
		}
	}
}
