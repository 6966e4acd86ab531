package leaving

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"

	memkeepjwt "github.com/memkeep/memkeep/tests/jwt"
)

var none = map[string]int{recommended: 0}

// How many copies of a token may be left. Each connection over HTTP/1.1 has it in its
// write buffer; there are as many as callers, some have been replaced, and crypto/tls
// has grown a buffer or two. Over HTTP/2 it is in four buffers of each connection, of
// which the callers may have opened one each before they share the first.
var (
	inConnections1 = map[string]int{recommended: 3 * callers}
	inConnections2 = map[string]int{recommended: 4*callers + callers}
)

var subjects = []*subject{
	bearerSubject("bearer, HTTP/1.1", "HTTP/1.1", true, inConnections1),
	bearerSubject("bearer, no reuse", "HTTP/1.1", false, nil),
	bearerSubject("bearer, HTTP/2", "HTTP/2.0", true, inConnections2),
	{
		name:  "webhook, HMAC",
		make:  macSecret,
		run:   (*user).receiveHooks,
		drive: sendHooks,
		most:  none,
	}, {
		name: "JWT, HS256",
		make: macSecret,
		run:  (*user).issueHS256,
		most: none,
	}, {
		name: "JWT, EdDSA",
		make: ed25519Secret,
		run:  func(u *user) error { return u.issueSigned(jwt.SigningMethodEdDSA, memkeepjwt.EdDSA) },
		most: none,
	}, {
		name: "JWT, ES256",
		make: p256Secret,
		run:  func(u *user) error { return u.issueSigned(jwt.SigningMethodES256, memkeepjwt.ES256) },
		most: none,
	}, {
		name:  "TLS server, P-256",
		make:  p256Secret,
		run:   (*user).serveTLS,
		drive: dialTLS,
		most:  none,
	}, {
		name:  "SSH server, Ed25519",
		make:  ed25519Secret,
		run:   (*user).serveSSH,
		drive: dialSSH,
		most:  none,
	},
	{
		name: "pgx, password",
		make: passwordSecret,
		run:  (*user).query,
		peer: func(t *testing.T) func([]byte) (string, []needle) {
			p := startPostgres(t)
			return func(secret []byte) (string, []needle) {
				p.setPassword(t, secret)
				salted := p.salted(t, secret)
				return p.dsn, append(macNeedles("salted password", salted), needle{"client key", clientKey(salted)})
			}
		},
	},
}
