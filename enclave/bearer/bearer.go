// Package bearer sends a token with HTTP requests, and wipes the header that held it
// once it is written.
//
//	transport, err := bearer.New(token, bearer.Config{Host: "api.example.com"})
//	client := &http.Client{Transport: transport}
//
// The token may be an [enclave.Enclave], or a [load.Rotating] that follows its file.
// Each request takes it anew, over HTTP/1.1 or HTTP/2.
//
// # What it promises
//
// Only the configured host gets the token, and only over TLS. A redirect to another
// host, or to plain HTTP, is followed without it, and a request with the Host header
// of another host is sent without it. The request that the caller made,
// and the one in the response, never hold it: code that logs requests does not log the token.
//
// # Limits
//
// While a request is written, the token is on the Go heap, where it can be swapped
// out or dumped. What net/http and crypto/tls copy of it stays: one copy in the
// write buffer of each HTTP/1.1 connection, and of HTTP/2 its compressed form in up
// to four buffers of each connection; and a few in buffers that crypto/tls has outgrown.
// tests/leaving has the figures.
//
// [load.Rotating]: https://pkg.go.dev/github.com/memkeep/memkeep/enclave/load#Rotating
package bearer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"

	"github.com/memkeep/memkeep/enclave"
)

// A Token is a secret that can be used, such as an [enclave.Enclave] or a
// [load.Rotating].
//
// [load.Rotating]: https://pkg.go.dev/github.com/memkeep/memkeep/enclave/load#Rotating
type Token interface {
	UseContext(ctx context.Context, fn func(secret []byte) error) error
}

var _ Token = (*enclave.Enclave)(nil)

// Config says where the token goes. Host is required.
type Config struct {
	// Host is the only host that gets the token: "api.example.com", with the port
	// if that is not 443.
	Host string

	// Header is the header that holds the token: Authorization if empty.
	Header string

	// Scheme precedes the token, with a space between. If empty, it is Bearer in an
	// Authorization header, and nothing in any other.
	Scheme string

	// Base is cloned and sends the requests: a clone of [http.DefaultTransport]
	// if nil. Its Proxy function is given the request with the token, and must not
	// keep it.
	Base *http.Transport
}

// A Transport is an [http.RoundTripper] that adds the token to each request for its
// host. It is safe for concurrent use.
type Transport struct {
	token  Token
	base   *http.Transport
	host   string // with port
	header string
	prefix string
}

// New returns a Transport for the token. It returns an error if there is no token, if the
// configuration names no host, or more than a host and a port, if Header or Scheme can't
// be sent, or if Base has an HTTP/2 implementation of its own, which may keep headers. If
// [http.DefaultTransport] is not an *http.Transport, Base is required.
func New(token Token, cfg Config) (*Transport, error) {
	if e, ok := token.(*enclave.Enclave); token == nil || ok && e == nil {
		return nil, errors.New("bearer: no token")
	}
	host, err := url.Parse("https://" + cfg.Host)
	if err != nil || host.Hostname() == "" || host.Host != cfg.Host || !validPort(host.Port()) {
		return nil, fmt.Errorf("bearer: %q is not a host, or a host and a port", cfg.Host)
	}
	if err := checkHeader(cfg.Header, cfg.Scheme); err != nil {
		return nil, err
	}
	t := &Transport{token: token, host: address(host), header: http.CanonicalHeaderKey(cfg.Header), prefix: cfg.Scheme}
	if t.header == "" {
		t.header = "Authorization"
	}
	if t.prefix == "" && t.header == "Authorization" {
		t.prefix = "Bearer"
	}
	if t.prefix != "" {
		t.prefix += " "
	}
	base := cfg.Base
	if base == nil {
		var ok bool
		if base, ok = http.DefaultTransport.(*http.Transport); !ok {
			return nil, fmt.Errorf("bearer: http.DefaultTransport is a %T, so Config.Base is required", http.DefaultTransport)
		}
	}
	t.base = base.Clone()
	if t.base.TLSNextProto["h2"] != nil {
		return nil, errors.New("bearer: Config.Base has an HTTP/2 implementation of its own")
	}
	// HTTP/2 compresses headers by a table of those sent before. One byte holds
	// none: a header in it would outlive its request, and change when it is wiped.
	if t.base.HTTP2 == nil {
		t.base.HTTP2 = new(http.HTTP2Config)
	}
	t.base.HTTP2.MaxEncoderHeaderTableSize = 1
	return t, nil
}

// validPort reports whether a host may have this port, or none.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// checkHeader refuses a header that net/http would not send, or would write itself.
func checkHeader(name, scheme string) error {
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Content-Length", "Host", "Trailer", "Transfer-Encoding", "User-Agent":
		return fmt.Errorf("bearer: %q is a header that net/http writes", name)
	}
	if strings.ContainsFunc(name, isNoToken) {
		return fmt.Errorf("bearer: %q is not the name of a header", name)
	}
	if strings.ContainsFunc(scheme, func(r rune) bool { return r < ' ' || '~' < r }) {
		return fmt.Errorf("bearer: %q is not an authentication scheme", scheme)
	}
	return nil
}

// isNoToken reports whether a header's name can't have the character: RFC 9110, section
// 5.6.2.
func isNoToken(r rune) bool {
	return (r < '0' || '9' < r) && (r < 'A' || 'Z' < r) && (r < 'a' || 'z' < r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// address returns a URL's host and port. Only ASCII letters change their case: in
// lower case other letters can become what they are not in a host's name, such as
// İ an i, and then the name of another host is that of this one.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.Map(lower, u.Hostname()), port)
}

func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

// isFor reports whether the request is for the host, by its Host header too: the
// server of the address may serve others.
func (t *Transport) isFor(req *http.Request) bool {
	return req.URL != nil && req.URL.Scheme == "https" && address(req.URL) == t.host &&
		(req.Host == "" || address(&url.URL{Host: req.Host}) == t.host)
}

// RoundTrip sends the request. If it is for the host, it sends a copy in which the token
// replaces the header of that name. Besides the errors of [http.Transport] it returns
// those of [enclave.Enclave.UseContext].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.isFor(req) || req.Header == nil { // without a Header, base refuses it
		return t.base.RoundTrip(req)
	}
	v, called := new(value), false
	err := t.token.UseContext(req.Context(), func(secret []byte) error {
		called = true
		v.bytes = make([]byte, 0, len(t.prefix)+len(secret))
		v.bytes = append(append(v.bytes, t.prefix...), secret...)
		return nil
	})
	if err == nil && !called {
		err = errors.New("the token's UseContext returned nil without calling its function")
	}
	if err != nil {
		if req.Body != nil {
			err = errors.Join(err, req.Body.Close())
		}
		return nil, fmt.Errorf("bearer: %w", err)
	}
	header := []string{v.string()}
	defer v.returned(header)
	sent := req.Clone(httptrace.WithClientTrace(withoutHeader(req.Context(), t.header), v.trace()))
	for name := range sent.Header {
		if strings.EqualFold(name, t.header) { // whoever fills the map need not use Set
			delete(sent.Header, name)
		}
	}
	sent.Header[t.header] = header
	resp, err := t.base.RoundTrip(sent)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// CloseIdleConnections closes the connections that no request uses. Their buffers,
// and what is in them of the token, become garbage.
func (t *Transport) CloseIdleConnections() { t.base.CloseIdleConnections() }
