package bearer_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/bearer"
	"github.com/memkeep/memkeep/internal/testenv"
)

var protocols = map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true}

// newToken returns an enclave with a token.
func newToken(t *testing.T, token string) *enclave.Enclave {
	t.Helper()
	e, err := newSession(t).New([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newSession(t *testing.T) *enclave.Session {
	t.Helper()
	testenv.Lockable(t, testenv.SmallLimit())
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit(), AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newServer starts a TLS server.
func newServer(t *testing.T, http2 bool, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// newTransport returns a transport for the server.
func newTransport(t *testing.T, token bearer.Token, s *httptest.Server) *bearer.Transport {
	t.Helper()
	transport, err := bearer.New(token, bearer.Config{Host: s.Listener.Addr().String(), Base: s.Client().Transport.(*http.Transport)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// get returns the answer's body and the response.
func get(t *testing.T, rt http.RoundTripper, address string) (string, *http.Response) {
	t.Helper()
	resp, err := (&http.Client{Transport: rt}).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(body), resp
}

// echo answers with the protocol and the token.
func echo(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprint(w, r.Proto, " ", r.Header.Get("Authorization"))
}

func TestHostGetsTheTokenAndTheCallersRequestStaysWithout(t *testing.T) {
	t.Parallel()
	token := newToken(t, "token")
	for proto, http2 := range protocols {
		s := newServer(t, http2, echo)
		transport := newTransport(t, token, s)
		req, err := http.NewRequest("GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 { // over one connection
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err := errors.Join(err, resp.Body.Close()); err != nil {
				t.Fatal(err)
			}
			if want := proto + " Bearer token"; string(body) != want {
				t.Errorf("the server has %q, want %q", body, want)
			}
			if resp.Request != req || len(req.Header) != 0 {
				t.Errorf("the response has request %p with %v, want %p", resp.Request, resp.Request.Header, req)
			}
		}
	}
}

func TestManyRequestsAtOnceEachHaveTheToken(t *testing.T) {
	t.Parallel()
	token := newToken(t, strings.Repeat("t", 3000))
	for proto, http2 := range protocols {
		s := newServer(t, http2, echo)
		transport := newTransport(t, token, s)
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				for range 20 {
					if body, _ := get(t, transport, s.URL); body != proto+" Bearer "+strings.Repeat("t", 3000) {
						t.Errorf("the server has %.40q", body)
						return
					}
				}
			})
		}
		group.Wait()
	}
}

func TestHeaderAndSchemeAreTheCallersChoice(t *testing.T) {
	t.Parallel()
	token := newToken(t, "token")
	for _, c := range []struct{ header, scheme, at, want string }{
		{"", "", "Authorization", "Bearer token"},
		{"", "Token", "Authorization", "Token token"},
		{"x-api-key", "", "X-Api-Key", "token"},
		{"x-api-key", "Key", "X-Api-Key", "Key token"},
	} {
		s := newServer(t, true, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get(c.at)) })
		transport, err := bearer.New(token, bearer.Config{Host: s.Listener.Addr().String(), Header: c.header, Scheme: c.scheme,
			Base: s.Client().Transport.(*http.Transport)})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := get(t, transport, s.URL); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// A server of the same certificate at another address, and one without TLS at the
// same host, are redirected to.
func TestRedirectsDoNotCarryTheTokenElsewhere(t *testing.T) {
	t.Parallel()
	token := newToken(t, "token")
	for _, http2 := range protocols {
		other := newServer(t, http2, echo)
		plain := httptest.NewServer(http.HandlerFunc(echo))
		t.Cleanup(plain.Close)
		var target atomic.Value
		s := newServer(t, http2, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/there" {
				echo(w, r)
				return
			}
			http.Redirect(w, r, target.Load().(string), http.StatusTemporaryRedirect)
		})
		transport := newTransport(t, token, s)
		for to, has := range map[string]bool{other.URL: false, plain.URL: false, s.URL + "/there": true} {
			target.Store(to)
			body, _ := get(t, transport, s.URL)
			if strings.Contains(body, "token") != has {
				t.Errorf("a redirect to %s: it has %q", to, body)
			}
		}
		// Asked directly, too.
		if body, _ := get(t, transport, other.URL); strings.Contains(body, "token") {
			t.Errorf("another host has %q", body)
		}
		insecure := *mustParse(t, s.URL)
		insecure.Scheme = "http"
		resp, err := transport.RoundTrip(&http.Request{Method: "GET", URL: &insecure, Header: http.Header{}})
		if err == nil && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("the host without TLS: %s", resp.Status)
		}
	}
}

// unverified returns a transport with the token for api.example.com, which reaches the
// server whatever host it dials, and tells dialled of each.
func unverified(t *testing.T, token bearer.Token, s *httptest.Server, dialled func(address string)) *bearer.Transport {
	t.Helper()
	base := s.Client().Transport.(*http.Transport).Clone()
	base.TLSClientConfig.InsecureSkipVerify = true
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled(address)
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	transport, err := bearer.New(token, bearer.Config{Host: "api.example.com", Base: base})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// In Go a dotted capital I becomes a plain i in lower case. In a host's name it becomes
// another letter, so that the name is another, which anybody may own.
func TestAHostThatOnlyLooksTheSameInLowerCaseGetsNoToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, false, echo)
	var dialled atomic.Value
	transport := unverified(t, newToken(t, "token"), s, func(address string) { dialled.Store(address) })
	for host, want := range map[string]struct {
		dialled string
		has     bool
	}{
		"API.example.com":      {"API.example.com:443", true},
		"ap\u0130.example.com": {"xn--api-bec.example.com:443", false},
	} {
		body, _ := get(t, transport, "https://"+host)
		if got := dialled.Load(); got != want.dialled || strings.Contains(body, "token") != want.has {
			t.Errorf("%s: %v has %q, want %+v", host, got, body, want)
		}
	}
}

// The server of the address may serve other hosts, and choose by the header: a proxy that
// passes on its clients' would let them choose who gets the token.
func TestARequestWithTheHostHeaderOfAnotherHostGetsNoToken(t *testing.T) {
	t.Parallel()
	token := newToken(t, "token")
	for _, http2 := range protocols {
		s := newServer(t, http2, echo)
		transport := unverified(t, token, s, func(string) {})
		for host, has := range map[string]bool{
			"": true, "api.example.com": true, "API.example.com:443": true,
			"evil.example.com": false, "api.example.com:444": false, "api.example.com.": false, "ap\u0130.example.com": false,
		} {
			req, err := http.NewRequest("GET", "https://api.example.com", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err := errors.Join(err, resp.Body.Close()); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(body), "token") != has {
				t.Errorf("host %q: it has %q", host, body)
			}
		}
	}
}

// As http.Transport does it, and without a panic.
func TestARequestWithoutAHeaderFailsAndItsBodyIsClosed(t *testing.T) {
	t.Parallel()
	s := newServer(t, false, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	transport := newTransport(t, newToken(t, "token"), s)
	body := &closeCounter{Reader: strings.NewReader("body")}
	resp, err := transport.RoundTrip(&http.Request{Method: "POST", URL: mustParse(t, s.URL), Body: body})
	if err == nil || resp != nil || body.closed.Load() != 1 {
		t.Errorf("%v, %v, closed %d times", resp, err, body.closed.Load())
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// changing is a token that changes.
type changing struct {
	atomic.Pointer[enclave.Enclave]
}

func (c *changing) UseContext(ctx context.Context, fn func([]byte) error) error {
	return c.Load().UseContext(ctx, fn)
}

func TestATokenThatChangedIsTheNextRequests(t *testing.T) {
	t.Parallel()
	session, token := newSession(t), new(changing)
	s := newServer(t, true, echo)
	transport := newTransport(t, token, s)
	for _, want := range []string{"first", "second", "third"} {
		e, err := session.New([]byte(want))
		if err != nil {
			t.Fatal(err)
		}
		token.Store(e)
		for range 2 {
			if body, _ := get(t, transport, s.URL); body != "HTTP/2.0 Bearer "+want {
				t.Errorf("%q, want %s", body, want)
			}
		}
	}
}

// The server closes each connection at the second request without a word, and the
// client tries again over another one.
func TestARetryHasTheToken(t *testing.T) {
	t.Parallel()
	var connections sync.Map // from address to nothing, those that had a request
	var retries atomic.Int32
	s := newServer(t, false, func(w http.ResponseWriter, r *http.Request) {
		if _, again := connections.LoadOrStore(r.RemoteAddr, nil); !again {
			echo(w, r)
			return
		}
		connections.Delete(r.RemoteAddr)
		retries.Add(1)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	})
	transport := newTransport(t, newToken(t, "token"), s)
	for range 20 {
		if body, _ := get(t, transport, s.URL); body != "HTTP/1.1 Bearer token" {
			t.Errorf("%q", body)
		}
	}
	if retries.Load() == 0 {
		t.Error("nothing was tried again: the test proves nothing")
	}
}

// A server that answers before it has read the request, and clients that go away, leave
// others' requests whole: the headers of HTTP/2 share one connection's state.
func TestEarlyAnswersAndCancelledRequestsDisturbNobody(t *testing.T) {
	t.Parallel()
	token := newToken(t, "token")
	for proto, http2 := range protocols {
		s := newServer(t, http2, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/early" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			echo(w, r)
		})
		transport := newTransport(t, token, s)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for i := range 50 {
					ctx, cancel := context.WithCancel(t.Context())
					if i%2 == 0 {
						cancel()
					}
					req, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/early", bytes.NewReader(make([]byte, 1<<20)))
					if err != nil {
						t.Error(err)
					}
					go cancel()
					if resp, err := transport.RoundTrip(req); err == nil {
						resp.Body.Close()
					}
					cancel()
				}
			})
			group.Go(func() {
				for range 50 {
					if body, _ := get(t, transport, s.URL); body != proto+" Bearer token" {
						t.Errorf("%q", body)
					}
				}
			})
		}
		group.Wait()
	}
}

type closeCounter struct {
	io.Reader
	closed atomic.Int32
}

func (c *closeCounter) Close() error { c.closed.Add(1); return nil }

// A token that can't be used fails the request, whose body is closed all the same.
func TestATokenThatIsGoneFailsTheRequest(t *testing.T) {
	t.Parallel()
	s := newServer(t, false, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	token := newToken(t, "token")
	transport := newTransport(t, token, s)
	token.Destroy()
	body := &closeCounter{Reader: strings.NewReader("body")}
	req, err := http.NewRequest("POST", s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if !errors.Is(err, enclave.ErrDestroyed) || resp != nil || body.closed.Load() != 1 {
		t.Errorf("%v, %v, closed %d times", resp, err, body.closed.Load())
	}
}

// A request's Header is a map, in which a name may be spelled in any way.
func TestTheTokenReplacesItsHeaderHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	token := newToken(t, "token")
	for _, h2 := range []bool{false, true} {
		s := newServer(t, h2, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.Header["Authorization"]) })
		req, err := http.NewRequest("GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ToLower("Authorization")
		req.Header[name] = []string{"Basic of the caller"}
		resp, err := newTransport(t, token, s).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if string(body) != `["Bearer token"]` {
			t.Errorf("HTTP/2 %v: the server has %s", h2, body)
		}
		if len(req.Header[name]) != 1 {
			t.Error("the caller's request has changed")
		}
	}
}

// silent is a token that has none.
type silent struct{}

func (silent) UseContext(context.Context, func([]byte) error) error { return nil }

func TestATokenThatGivesNothingFailsTheRequest(t *testing.T) {
	t.Parallel()
	s := newServer(t, false, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	req, err := http.NewRequest("GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := newTransport(t, silent{}, s).RoundTrip(req); err == nil {
		t.Error("sent", resp.Body.Close())
	}
}

// A token with a line end in it could add a header, and is refused without being
// printed.
func TestATokenThatIsNoHeaderIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, false, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	transport := newTransport(t, newToken(t, "sec\r\nret: x"), s)
	req, err := http.NewRequest("GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.RoundTrip(req); err == nil || strings.Contains(err.Error(), "ret") {
		t.Errorf("%v", err)
	}
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	token := new(enclave.Enclave)
	own := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{
		"h2": func(string, *tls.Conn) http.RoundTripper { return nil },
	}}
	for _, host := range []string{"", "https://example.com", "example.com/path", "user@example.com", "ex ample.com", ":443", "example.com:0", "example.com:65536"} {
		if _, err := bearer.New(token, bearer.Config{Host: host}); err == nil {
			t.Errorf("host %q is taken", host)
		}
	}
	for _, c := range []bearer.Config{{Header: "host"}, {Header: "Content-Length"}, {Header: "X Key"}, {Header: "X-K\u00e9y"}, {Scheme: "a\nb"}} {
		c.Host = "example.com"
		if _, err := bearer.New(token, c); err == nil {
			t.Errorf("header %q with scheme %q is taken", c.Header, c.Scheme)
		}
	}
	if _, err := bearer.New((*enclave.Enclave)(nil), bearer.Config{Host: "example.com"}); err == nil {
		t.Error("a nil enclave is taken")
	}
	if _, err := bearer.New(nil, bearer.Config{Host: "example.com"}); err == nil {
		t.Error("no token is taken")
	}
	if _, err := bearer.New(token, bearer.Config{Host: "example.com", Base: own}); err == nil {
		t.Error("an HTTP/2 implementation that may keep headers is taken")
	}
	for _, host := range []string{"example.com", "EXAMPLE.com:8443", "[::1]:443", net.JoinHostPort("::1", "1")} {
		if _, err := bearer.New(token, bearer.Config{Host: host}); err != nil {
			t.Error(err)
		}
	}
}

// A trace may keep what it is told, as one that becomes a span's attributes does: it would
// have the token, in a string that changes when the header is wiped.
func TestATraceIsToldOfEveryHeaderButTheTokens(t *testing.T) {
	t.Parallel()
	token := newToken(t, "token")
	for proto, http2 := range protocols {
		s := newServer(t, http2, echo)
		transport := newTransport(t, token, s)
		told := make(map[string]string)
		var conns, wrote int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn:          func(httptrace.GotConnInfo) { conns++ },
			WroteHeaderField: func(key string, value []string) { told[http.CanonicalHeaderKey(key)] = strings.Join(value, ",") },
			WroteHeaders:     func() { wrote++ },
		})
		req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Other", "other")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil || string(body) != proto+" Bearer token" {
			t.Fatalf("%q, %v", body, err)
		}
		if value, has := told["Authorization"]; has {
			t.Errorf("%s: the trace has %q", proto, value)
		}
		if told["X-Other"] != "other" || conns != 1 || wrote != 1 {
			t.Errorf("%s: the trace has %q, %d connections, %d times headers", proto, told, conns, wrote)
		}
	}
}

// Nothing keeps the header of a request that is over: HTTP/2's table would, and what it
// kept would change under it.
func TestNoConnectionKeepsTheHeader(t *testing.T) {
	t.Parallel()
	token := newToken(t, "token")
	for proto, http2 := range protocols {
		s := newServer(t, http2, echo)
		var header weak.Pointer[byte]
		// What chooses a proxy is the only thing that is shown the request.
		s.Client().Transport.(*http.Transport).Proxy = func(req *http.Request) (*url.URL, error) {
			header = weak.Make(unsafe.StringData(req.Header.Get("Authorization")))
			return nil, nil
		}
		transport := newTransport(t, token, s)
		req, err := http.NewRequest("GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); errors.Join(err, resp.Body.Close()) != nil {
			t.Fatal(err)
		}
		if header == (weak.Pointer[byte]{}) {
			t.Fatalf("%s: no header was seen", proto)
		}
		// The next request lets the connection forget the last one.
		get(t, transport, s.URL)
		for deadline := time.Now().Add(time.Minute); header.Value() != nil; {
			runtime.GC()
			if time.Now().After(deadline) {
				t.Fatalf("%s: the header is kept", proto)
			}
		}
	}
}
