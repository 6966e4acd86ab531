// Package scram logs in with a password by SCRAM-SHA-256 (RFC 5802, RFC 7677), and
// leaves neither the password nor a key that is derived from it outside locked memory.
// The messages are on the heap, as they are on the network: whoever has them can test
// guesses of the password.
//
// For PostgreSQL, wrap each new connection with [PostgreSQL]. With pgx:
//
//	cfg.ConnConfig.AfterNetConnect = func(ctx context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
//		return scram.PostgreSQL(ctx, conn, password), nil
//	}
//
// The configuration then holds no password. For other protocols use [Client], which
// makes and checks the messages.
//
// # Limits
//
// It binds no channel, so use TLS: without it, whoever relays the connection can use it
// once the login is done, and whoever poses as the server can ask for an iteration count
// of 1 and test guesses against the proof. Passwords must be ASCII, for which the RFC's
// preparation changes nothing.
package scram

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// Mechanism is the name of SCRAM-SHA-256 as a SASL mechanism.
const Mechanism = "SCRAM-SHA-256"

// Errors that callers branch on with errors.Is. Those of [enclave.Enclave.UseContext]
// pass through.
var (
	// ErrProtocol reports a message that the server must not send.
	ErrProtocol = errors.New("scram: protocol error")

	// ErrServer reports a server that did not prove that it knows the password: it
	// may be an impostor.
	ErrServer = errors.New("scram: the server does not prove that it knows the password")

	// ErrRejected reports a login that the server refused, such as one with a wrong
	// password.
	ErrRejected = errors.New("scram: the server rejected the login")

	// ErrPassword reports a password that is not ASCII, or has more than
	// [MaxPassword] bytes.
	ErrPassword = errors.New("scram: unsupported password")
)

const (
	// MaxPassword is the length of the longest password, in bytes.
	MaxPassword = 512

	// MaxIterations is the largest number of iterations that a server may ask for:
	// a hundred times what PostgreSQL and RFC 7677 have.
	MaxIterations = 409_600
)

// A Password is a secret that can be used, such as an [enclave.Enclave], or a
// Rotating of package enclave/load.
type Password interface {
	UseContext(ctx context.Context, fn func(secret []byte) error) error
}

var _ Password = (*enclave.Enclave)(nil)

// A Client is one login. It is not safe for concurrent use, and can't be used again.
type Client struct {
	// Password is required.
	Password Password

	// User is the name to log in with. PostgreSQL ignores it.
	User string

	// Session lends the locked memory: the default session if nil.
	Session *enclave.Session

	bare      string // client-first-message-bare
	nonce     string
	signature []byte // what the server is expected to send
	verified  bool   // the server has proven that it knows the password
}

// header says that no channel is bound: gs2-header of RFC 5802.
const header = "n,,"

// First returns the message that the login begins with.
func (c *Client) First() []byte {
	var random [18]byte
	_, _ = rand.Read(random[:]) // fills its argument or ends the program
	c.nonce = base64.StdEncoding.EncodeToString(random[:])
	c.bare = "n=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(c.User) + ",r=" + c.nonce
	return []byte(header + c.bare)
}

// Final returns the answer to the server's first message, which proves that the
// client knows the password. It waits for locked memory until ctx ends.
func (c *Client) Final(ctx context.Context, serverFirst []byte) ([]byte, error) {
	if c.nonce == "" || c.signature != nil {
		return nil, fmt.Errorf("%w: Final without First", ErrProtocol)
	}
	nonce, salt, iterations, err := parseFirst(string(serverFirst), c.nonce)
	if err != nil {
		return nil, err
	}
	message := "c=" + base64.StdEncoding.EncodeToString([]byte(header)) + ",r=" + nonce
	proof := make([]byte, sha256.Size)
	signature := make([]byte, sha256.Size)
	session := c.Session
	if session == nil {
		session = enclave.Default()
	}
	auth := []byte(c.bare + "," + string(serverFirst) + "," + message)
	// The password's memory comes first: a call within a Use has memory that is kept for
	// it, one within what fills a new secret waits for others, who may wait for it.
	err = c.Password.UseContext(ctx, func(secret []byte) error {
		// What fills a new secret works in writable locked memory, which is wiped. Its
		// error keeps it from being sealed.
		var failed error
		_, err := session.NewFuncContext(ctx, areaSize, func(memory []byte) error {
			failed = newArea(memory).compute(ctx, secret, salt, iterations, auth, proof, signature)
			return errDone
		})
		if err != errDone {
			return err
		}
		return failed
	})
	if err != nil {
		return nil, err
	}
	c.signature = signature
	return []byte(message + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

var errDone = errors.New("scram: scratch memory is not to be sealed")

// Verify checks the server's last message. It returns nil if the login is done and
// the server has proven that it knows the password.
func (c *Client) Verify(serverFinal []byte) error {
	if c.signature == nil {
		return fmt.Errorf("%w: Verify without Final", ErrProtocol)
	}
	if reason, ok := bytes.CutPrefix(serverFinal, []byte("e=")); ok {
		return fmt.Errorf("%w: %.100q", ErrRejected, reason)
	}
	value, ok := bytes.CutPrefix(serverFinal, []byte("v="))
	value, extensions, _ := bytes.Cut(value, []byte(","))
	if mandatory(string(extensions)) {
		return fmt.Errorf("%w: the last message has a mandatory extension", ErrProtocol)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(string(value))
	if !ok || err != nil {
		return fmt.Errorf("%w: the last message is malformed", ErrProtocol)
	}
	if !xchacha.Equal(signature, c.signature) {
		return ErrServer
	}
	c.verified = true
	return nil
}

// mandatory reports whether one of the extensions is m=, with which a login must fail
// that does not know what it says. Others can be ignored.
func mandatory(extensions string) bool {
	return strings.HasPrefix(extensions, "m=") || strings.Contains(extensions, ",m=")
}

// parseFirst takes the server's first message apart: "r=…,s=…,i=…". The nonce must
// begin with the client's.
func parseFirst(message, own string) (nonce string, salt []byte, iterations int, err error) {
	malformed := func(what string) (string, []byte, int, error) {
		return "", nil, 0, fmt.Errorf("%w: the first message has %s", ErrProtocol, what)
	}
	fields := strings.SplitN(message, ",", 4) // extensions may follow
	if len(fields) < 3 || !strings.HasPrefix(fields[0], "r=") || !strings.HasPrefix(fields[1], "s=") || !strings.HasPrefix(fields[2], "i=") {
		return malformed("other fields")
	}
	if len(fields) == 4 && mandatory(fields[3]) {
		return malformed("a mandatory extension")
	}
	if nonce = fields[0][2:]; len(nonce) <= len(own) || !strings.HasPrefix(nonce, own) {
		return malformed("another nonce")
	}
	if salt, err = base64.StdEncoding.Strict().DecodeString(fields[1][2:]); err != nil || len(salt) == 0 {
		return malformed("no salt")
	}
	if iterations, err = strconv.Atoi(fields[2][2:]); err != nil || iterations < 1 || iterations > MaxIterations {
		return malformed(fmt.Sprintf("a number of iterations that is not from 1 to %d", MaxIterations))
	}
	return nonce, salt, iterations, nil
}
