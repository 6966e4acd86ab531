package main

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// At what many systems let a process lock that nobody configured (64 KiB),
// 200 clients at once create keys, sign, verify and delete without one failure.
func TestManyClientsUnderASmallLimit(t *testing.T) {
	t.Parallel()
	server := start(t, spec{
		args:    []string{"-keys", "2000", "-request-timeout", "60s", "-read-timeout", "60s"},
		memlock: strconv.Itoa(testenv.SmallLimit()),
	})
	c := server.client()
	const clients, rounds = 200, 5
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			for round := range rounds {
				if err := c.round(i, round); err != nil {
					t.Errorf("client %d, round %d: %v", i, round, err)
					return
				}
			}
		})
	}
	group.Wait()
	metrics := c.call(http.StatusOK, "GET", "/metrics", "").raw
	for _, want := range []string{
		fmt.Sprintf(`keyserver_requests_total{code="200",method="POST",route="/v1/keys/{name}/sign"} %d`, 2*clients*rounds),
		`memkeep_budget_bytes ` + strconv.FormatFloat(float64(testenv.SmallLimit()), 'g', -1, 64),
		`memkeep_decrypt_failures_total 0`,
		`memkeep_waiters 0`,
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// round is what each client does again and again.
func (c *client) round(i, round int) error {
	shared := keyPath(fmt.Sprintf("key-%06d", (i*7+round)%2000))
	own := fmt.Sprintf("own-%d-%d", i, round)
	message := fmt.Appendf(nil, "message %d of client %d", round, i)
	private := ed25519.NewKeyFromSeed(seeded(own, ed25519.SeedSize))
	want := ed25519.Sign(private, message)

	signed, err := c.expect(http.StatusOK, "POST", shared+"/sign", messageBody(message))
	if err != nil {
		return err
	}
	verified, err := c.expect(http.StatusOK, "POST", shared+"/verify", verifyBody(message, signed.Signature))
	if err != nil {
		return err
	}
	if _, err := c.expect(http.StatusCreated, "POST", "/v1/keys", keyBody(own, "ed25519", private.Seed())); err != nil {
		return err
	}
	mine, err := c.expect(http.StatusOK, "POST", keyPath(own)+"/sign", messageBody(message))
	if err != nil {
		return err
	}
	if !verified.Valid || string(mine.Signature) != string(want) {
		return fmt.Errorf("valid is %v; signature %x, want %x", verified.Valid, mine.Signature, want)
	}
	_, err = c.expect(http.StatusNoContent, "DELETE", keyPath(own), "")
	return err
}

// expect is call for a goroutine of its own.
func (c *client) expect(status int, method, path, body string) (answer, error) {
	a, err := c.try(method, path, body)
	if err == nil && a.status != status {
		err = fmt.Errorf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.raw)
	}
	return a, err
}

// One page is not enough, and with pages of 64 KiB it is all that many systems give.
func TestOnePageMayBeLocked(t *testing.T) {
	t.Parallel()
	limits, err := locked.CurrentLimits()
	if err != nil {
		t.Fatal(err)
	}
	if limits.Hard < uint64(os.Getpagesize()) {
		t.Skipf("SKIPPED: the hard limit is %d bytes, and a limit can be lowered only", limits.Hard)
	}
	one := strconv.Itoa(os.Getpagesize())
	c := launch(t, spec{memlock: one})
	c.wait(exitFailed)
	for _, want := range []string{"too small", "limit is " + one + " bytes", "ulimit -l", "LimitMEMLOCK"} {
		if !strings.Contains(c.errors(), want) {
			t.Errorf("the error lacks %q:\n%s", want, c.errors())
		}
	}
	if c.output() != "" {
		t.Errorf("there is output:\n%s", c.output())
	}
}

// Where nothing may be locked the server says so, says what helps, and exits.
func TestNothingMayBeLocked(t *testing.T) {
	t.Parallel()
	c := launch(t, spec{memlock: "0"})
	c.wait(exitFailed)
	for _, want := range []string{"no memory can be locked", "limit is 0 bytes", "ulimit -l", "LimitMEMLOCK"} {
		if !strings.Contains(c.errors(), want) {
			t.Errorf("the error lacks %q:\n%s", want, c.errors())
		}
	}
	if c.output() != "" {
		t.Errorf("there is output:\n%s", c.output())
	}
}

// Unless it is told to go on: then its log, its page and its metrics say it.
func TestServerThatGoesOnWithoutALockSaysSo(t *testing.T) {
	t.Parallel()
	server := launch(t, spec{args: []string{"-keys", "2", "-allow-unlocked"}, memlock: "0"})
	if !server.listens() {
		t.Fatalf("it exited with %d:\n%s", server.code, server.errors())
	}
	c := server.client()
	c.call(http.StatusOK, "POST", "/v1/keys/key-000000/sign", messageBody(nil))
	for path, want := range map[string]string{"/": "NOT LOCKED", "/metrics": "\nmemkeep_unlocked 1\n"} {
		if body := c.call(http.StatusOK, "GET", path, "").raw; !strings.Contains(body, want) {
			t.Errorf("%s lacks %q", path, want)
		}
	}
	if !strings.Contains(server.errors(), "NOT LOCKED") {
		t.Errorf("the log:\n%s", server.errors())
	}
}

func TestBudgetTooSmall(t *testing.T) {
	t.Parallel()
	needLocked(t)
	c := launch(t, spec{args: []string{"-locked-bytes", strconv.Itoa(3 * os.Getpagesize())}})
	c.wait(exitFailed)
	if !strings.Contains(c.errors(), "-locked-bytes") {
		t.Errorf("the error:\n%s", c.errors())
	}
}

// While all the locked memory for incoming keys is in use, further keys wait,
// get 503 in time, and are welcome afterwards. Signing goes on.
func TestBusyDesk(t *testing.T) {
	t.Parallel()
	server := start(t, spec{args: []string{"-keys", "1", "-request-timeout", "3s", "-read-timeout", "60s"}})
	c := server.client()
	var waiting []*slow
	for i := 0; ; i++ {
		if i > maxSeats {
			t.Fatalf("%d clients take locked memory, at most %d may", i, maxSeats)
		}
		s, first := server.begin("/v1/keys", fmt.Sprintf(`{"name":"slow-%d","type":"hmac-sha256"}`, i))
		if first.StatusCode == http.StatusContinue {
			waiting = append(waiting, s)
			continue
		}
		if first.StatusCode != http.StatusServiceUnavailable || first.Header.Get("Retry-After") == "" {
			t.Fatalf("status %d, Retry-After %q", first.StatusCode, first.Header.Get("Retry-After"))
		}
		a, err := readAnswer(first)
		if err != nil || a.Error.Code != "overloaded" {
			t.Errorf("the answer: %s, %v", a.raw, err)
		}
		break
	}
	c.call(http.StatusOK, "POST", "/v1/keys/key-000000/sign", messageBody(nil))
	for i, s := range waiting {
		// The time it may wait is over, but it did not wait.
		if a := s.finish(); a.status != http.StatusCreated {
			t.Errorf("slow client %d: status %d: %s", i, a.status, a.raw)
		}
	}
	c.call(http.StatusCreated, "POST", "/v1/keys", `{"name":"late","type":"hmac-sha256"}`)
}

// A client that sends its request too slowly is told so, and loses its
// connection.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	server := start(t, spec{args: []string{"-keys", "1", "-read-timeout", "10s"}})
	begun := map[string]*slow{}
	for _, path := range []string{"/v1/keys", "/v1/keys/key-000000/sign"} {
		s, first := server.begin(path, messageBody(nil))
		if first.StatusCode != http.StatusContinue {
			t.Fatalf("%s: status %d", path, first.StatusCode)
		}
		begun[path] = s
	}
	for path, s := range begun {
		if a := s.answer(); a.status != http.StatusRequestTimeout || a.Error.Code != "body_too_slow" {
			t.Errorf("%s: status %d: %s", path, a.status, a.raw)
		}
		if _, err := s.r.ReadByte(); err == nil {
			t.Errorf("%s: the connection is still open", path)
		}
	}
	server.client().call(http.StatusOK, "POST", "/v1/keys/key-000000/sign", messageBody(nil))
}

// A budget is too small to start with, or enough for whatever a server does.
func TestServerThatStartsHasAllItNeeds(t *testing.T) {
	t.Parallel()
	needLocked(t)
	served := 0
	for pages := 2; pages <= testenv.SmallLimit()/os.Getpagesize() && served < 4; pages++ {
		c := launch(t, spec{args: []string{"-keys", "2", "-locked-bytes", strconv.Itoa(pages * os.Getpagesize())}})
		if !c.listens() {
			c.wait(exitFailed)
			if !strings.Contains(c.errors(), "too small") {
				t.Errorf("with %d pages:\n%s", pages, c.errors())
			}
			continue
		}
		served++
		client := c.client()
		for i, typ := range []string{"ed25519", "hmac-sha256"} {
			client.call(http.StatusCreated, "POST", "/v1/keys", fmt.Sprintf(`{"name":"%d","type":%q}`, i, typ))
			client.call(http.StatusCreated, "POST", "/v1/keys", keyBody(fmt.Sprint("given ", i), typ, seeded("seed", 32)))
			client.call(http.StatusOK, "POST", keyPath(fmt.Sprint("given ", i))+"/sign", messageBody(nil))
			client.call(http.StatusOK, "POST", keyPath(fmt.Sprint(i))+"/sign", messageBody(nil))
		}
	}
	if served == 0 {
		t.Error("no budget was enough")
	}
}
