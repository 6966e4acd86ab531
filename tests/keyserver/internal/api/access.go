package api

import (
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Errors of requests that may not be made.
var (
	errHost  = errors.New("this server does not answer to that Host; -allow-host adds one")
	errToken = errors.New("this path wants the header Authorization with the right bearer token")
)

// allowsHost reports whether a request may have that Host header. A page in a
// browser reaches a server on loopback by a name of its own that it has resolve to
// 127.0.0.1 (DNS rebinding), and then it sends that name. An address can't be
// rebound.
func (a *API) allowsHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || slices.Contains(a.Hosts, host)
}

// authorize returns errToken for a request that lacks the token. The header was in
// the connection's buffers, and is a string on the heap: see the package's comment.
func (a *API) authorize(r *http.Request) error {
	if a.Token == nil {
		return nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return errToken
	}
	presented := []byte(strings.TrimSpace(token))
	defer clear(presented)
	ctx, cancel := a.bounded(r)
	defer cancel()
	return a.Token.UseContext(ctx, func(secret []byte) error {
		if subtle.ConstantTimeCompare(secret, presented) == 1 {
			return nil
		}
		return errToken
	})
}
