package leaving

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/memkeep/memkeep/internal/testenv"
	memkeepjwt "github.com/memkeep/memkeep/tests/jwt"
)

// outgrown is how many buffers with a token in them crypto/tls may leave: it replaces one
// that is too small for the first request. It keeps one for each connection that writes,
// and the collector takes those that are idle.
const outgrown = 2 * callers

// What the recommended way may leave.
//
// Of keys and passwords, at once, the registers that a signal saved on the threads that
// work: of each thread a value or two.
//
// Of a token, one copy in the write buffer of each connection over HTTP/1.1, of which
// there are as many as callers, and four in buffers of the one connection over HTTP/2. In 34
// runs there were up to 8. Without reuse, one of each connection whose buffer nothing else
// is in yet: up to 57 since the last collection, and up to 18 after two; the bounds are
// half as much more, and twice, since the collector's times are its own.
var (
	ofKeys       = row{atOnce: 2 * callers}
	ofTokens     = row{callers + outgrown, callers + outgrown}
	withoutReuse = row{85, 36}
)

// What the other ways leave after two collections. A key that was parsed once has copies
// of its own. What is copied for each operation is in the heap's free memory until
// something else is there: in 34 runs, of one operation in 51 at least.
var (
	copies       = map[string]int{heap: few(), obvious: few(), outside: few()}
	parsedCopies = map[string]int{heap: 1, obvious: few(), outside: few()}
	fewCopies    = map[string]int{heap: 1, obvious: 1, outside: 1}
)

// few is a control that holds whatever the collector did: in the long form one copy of
// 100 operations.
func few() int {
	if testenv.Long() {
		return scaled() / 100
	}
	return 1
}

var subjects = []*subject{
	bearerSubject("bearer, HTTP/1.1", "HTTP/1.1", true, ofTokens, copies),
	bearerSubject("bearer, no reuse", "HTTP/1.1", false, withoutReuse, fewCopies),
	bearerSubject("bearer, HTTP/2", "HTTP/2.0", true, ofTokens, copies),
	{
		name:    "webhook, HMAC",
		make:    macSecret,
		run:     (*user).receiveHooks,
		drive:   sendHooks,
		most:    ofKeys,
		cleared: true,
		least:   copies,
	}, {
		name:    "JWT, HS256",
		make:    macSecret,
		run:     (*user).issueHS256,
		most:    ofKeys,
		cleared: true,
		least:   copies,
	}, {
		name:  "JWT, EdDSA",
		make:  ed25519Secret,
		run:   func(u *user) error { return u.issueSigned(jwt.SigningMethodEdDSA, memkeepjwt.EdDSA) },
		most:  ofKeys,
		least: parsedCopies,
	}, {
		name:  "JWT, ES256",
		make:  p256Secret,
		run:   func(u *user) error { return u.issueSigned(jwt.SigningMethodES256, memkeepjwt.ES256) },
		most:  ofKeys,
		least: parsedCopies,
	}, {
		name:  "TLS server, P-256",
		make:  p256Secret,
		run:   (*user).serveTLS,
		drive: dialTLS,
		most:  ofKeys,
		least: parsedCopies,
	}, {
		name:  "SSH server, Ed25519",
		make:  ed25519Secret,
		run:   (*user).serveSSH,
		drive: dialSSH,
		most:  ofKeys,
		least: parsedCopies,
	},
	{
		name:  "pgx, password",
		make:  passwordSecret,
		run:   (*user).query,
		most:  ofKeys,
		least: copies,
		peer: func(t *testing.T) func([]byte) (string, []needle) {
			p := startPostgres(t)
			return func(secret []byte) (string, []needle) {
				p.setPassword(t, role, secret)
				return p.dsn + role, p.loginNeedles(t, role, secret)
			}
		},
	},
}
