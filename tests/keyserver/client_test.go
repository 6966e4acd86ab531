package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

var b64 = base64.StdEncoding.EncodeToString

// A client talks to one server.
type client struct {
	t     testing.TB
	base  string
	http  *http.Client
	token string // sent if not empty
}

func (c *child) client() *client {
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	c.t.Cleanup(transport.CloseIdleConnections)
	return &client{t: c.t, base: c.base, http: &http.Client{Transport: transport, Timeout: patience}}
}

// An answer is what came back, with all the fields that any answer has.
type answer struct {
	status int
	header http.Header
	raw    string

	Name      string    `json:"name"`
	Type      string    `json:"type"`
	PublicKey []byte    `json:"public_key"`
	Signature []byte    `json:"signature"`
	Valid     bool      `json:"valid"`
	Keys      []keyLine `json:"keys"`
	Next      string    `json:"next"`
	Status    string    `json:"status"`
	Error     struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// A keyLine is a key in a file or a list.
type keyLine struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Key  string `json:"key,omitempty"`
}

// try sends a request with a JSON body.
func (c *client) try(method, path, body string) (answer, error) {
	request, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.send(request)
}

func (c *client) send(request *http.Request) (answer, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	return readAnswer(response)
}

func readAnswer(response *http.Response) (answer, error) {
	raw, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, raw: string(raw)}
	if err == nil && response.Header.Get("Content-Type") == "application/json" && len(raw) > 0 {
		err = json.Unmarshal(raw, &a)
	}
	return a, err
}

// call is try that must have the status.
func (c *client) call(status int, method, path, body string) answer {
	c.t.Helper()
	a, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != status {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.raw)
	}
	return a
}

func keyPath(name string) string { return "/v1/keys/" + url.PathEscape(name) }

func messageBody(message []byte) string { return fmt.Sprintf(`{"message":%q}`, b64(message)) }

func verifyBody(message, signature []byte) string {
	return fmt.Sprintf(`{"message":%q,"signature":%q}`, b64(message), b64(signature))
}

func keyBody(name, typ string, key []byte) string {
	b, err := json.Marshal(keyLine{name, typ, b64(key)})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// A slow is a request that has begun: its headers were sent, and nothing of its
// body.
type slow struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	body string
}

// begin sends the headers of a request and waits for the first answer: status
// 100 says that the server is in the middle of it, waiting for the body.
func (c *child) begin(path, body string) (*slow, *http.Response) {
	c.t.Helper()
	host := strings.TrimPrefix(c.base, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", path, host, len(body))
	s := &slow{c.t, conn, bufio.NewReader(conn), body}
	return s, s.response()
}

func (s *slow) response() *http.Response {
	s.t.Helper()
	response, err := http.ReadResponse(s.r, nil)
	if err != nil {
		s.t.Fatalf("reading a response: %v", err)
	}
	return response
}

// finish sends the body and returns the answer.
func (s *slow) finish() answer {
	s.t.Helper()
	if _, err := io.Copy(s.conn, bytes.NewReader([]byte(s.body))); err != nil {
		s.t.Fatal(err)
	}
	return s.answer()
}

func (s *slow) answer() answer {
	s.t.Helper()
	response := s.response()
	defer response.Body.Close()
	a, err := readAnswer(response)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

const (
	manyCallers    = 8
	manySignatures = 2000
)

var manyMessage = []byte("a message that is the same every time")

// signMany signs 2,000 times, with the keys in turn.
func (c *client) signMany(names ...string) {
	c.t.Helper()
	var group sync.WaitGroup
	for range manyCallers {
		group.Go(func() {
			for i := range manySignatures / manyCallers {
				path := keyPath(names[i%len(names)]) + "/sign"
				if _, err := c.expect(http.StatusOK, "POST", path, messageBody(manyMessage)); err != nil {
					c.t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}
