//go:build unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestSIGHUPReadsTheTokenAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(publicDir(t), "token")
	writeSecret(t, path, "first\n")
	server := start(t, spec{args: []string{"-keys", "1", "-token", "file:" + path}})
	first, second := server.client(), server.client()
	first.token, second.token = "first", "second"
	first.call(http.StatusOK, "GET", "/v1/keys", "")
	second.call(http.StatusUnauthorized, "GET", "/v1/keys", "")

	writeSecret(t, path, "second")
	first.call(http.StatusOK, "GET", "/v1/keys", "")
	server.signal(syscall.SIGHUP)
	server.await("reloaded: read 1")
	first.call(http.StatusUnauthorized, "GET", "/v1/keys", "")
	second.call(http.StatusOK, "GET", "/v1/keys", "")

	// What can't be read changes nothing.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	server.signal(syscall.SIGHUP)
	server.await("not reloaded, the old version stays in use: token: load: file:")
	second.call(http.StatusOK, "GET", "/v1/keys", "")
	server.signal(syscall.SIGTERM)
	server.wait(exitOK)
}

// Requests that are under way while the token is replaced by itself all succeed.
func TestReloadUnderLoadLosesNoRequest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(publicDir(t), "token")
	writeSecret(t, path, testToken)
	server := start(t, spec{args: []string{"-keys", "1", "-token", "file:" + path}})
	c := server.client()
	c.token = testToken
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				if _, err := c.expect(http.StatusOK, "POST", "/v1/keys/key-000000/sign", messageBody(nil)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for count := range 20 {
		server.signal(syscall.SIGHUP)
		server.awaitTimes("reloaded: read 1", count+1)
	}
	group.Wait()
}
