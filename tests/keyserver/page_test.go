package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// The page at / has what an operator wants to see, and needs no script.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	server := start(t, spec{args: []string{"-keys", "1235"}})
	c := server.client()
	c.call(http.StatusOK, "POST", "/v1/keys/key-000000/sign", messageBody(nil))
	c.call(http.StatusOK, "POST", "/v1/keys/key-000001/sign", messageBody(nil))
	page := c.call(http.StatusOK, "GET", "/", "")
	text := strings.Join(strings.Fields(tags.ReplaceAllString(page.raw, " ")), " ")
	for _, want := range []string{
		"secrets 1,235 ", "Ed25519 keys 618 ", "HMAC-SHA-256 keys 617 ", " of a budget of ", "uses a second ",
		"calls waiting for locked memory 0 ", "never refused to lock memory", "locked pages m", "core dumps ",
		"reading from outside ", "runtime/secret o", "limit on locked memory ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	var uses int
	_, rest, _ := strings.Cut(text, "uses since the start ")
	if _, err := fmt.Sscan(rest, &uses); err != nil || uses != 4 {
		t.Errorf("uses are %d after two signatures, and two for the curl lines: %v", uses, err)
	}
	for _, forbidden := range []string{"<script", "javascript:", "onload", "http://", "https://"} {
		if strings.Contains(page.raw, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	if got := page.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
		t.Errorf("Content-Security-Policy is %q", got)
	}
	if a := c.call(http.StatusOK, "HEAD", "/", ""); a.raw != "" {
		t.Errorf("HEAD has a body: %q", a.raw)
	}
}

// What is printed at the start says what the server does and where to look.
func TestStartSaysWhereToLook(t *testing.T) {
	t.Parallel()
	server := start(t, spec{args: []string{"-keys", "3"}})
	server.await("# hmac-sha256")
	for _, want := range []string{
		"keyserver signs and verifies over HTTP with 3 keys, each encrypted in memory",
		"status page for a browser: " + server.base + "/\n", "figures for Prometheus:    " + server.base + "/metrics\n",
	} {
		if !strings.Contains(server.output(), want) {
			t.Errorf("the output lacks %q:\n%s", want, server.output())
		}
	}
}
