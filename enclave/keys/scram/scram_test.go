package scram

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// newClient returns a client with a session of its own.
func newClient(t *testing.T, user, password string) *Client {
	t.Helper()
	testenv.Lockable(t, testenv.SmallLimit())
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit(), AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	e, err := session.New([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return &Client{User: user, Password: e, Session: session}
}

// RFC 7677, section 3.
const (
	rfcNonce = "rOprNGfwEbeRWgbNEkqO"
	rfcFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	rfcFinal = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	rfcLast  = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

func TestTheRFCsExample(t *testing.T) {
	t.Parallel()
	c := newClient(t, "user", "pencil")
	c.nonce, c.bare = rfcNonce, "n=user,r="+rfcNonce
	final, err := c.Final(t.Context(), []byte(rfcFirst))
	if err != nil || string(final) != rfcFinal {
		t.Errorf("%s, %v, want %s", final, err, rfcFinal)
	}
	for _, wrong := range []struct {
		message string
		err     error
	}{
		{"e=invalid-proof", ErrRejected},
		{"v=" + strings.Repeat("A", 43) + "=", ErrServer},
		{"v=", ErrServer},
		{"v=%", ErrProtocol},
		{rfcLast + ",m=x", ErrProtocol},
		{rfcLast + ",x=later,m=x", ErrProtocol},
		{"", ErrProtocol},
	} {
		if err := c.Verify([]byte(wrong.message)); !errors.Is(err, wrong.err) {
			t.Errorf("%q: %v, want %v", wrong.message, err, wrong.err)
		}
	}
	if err := c.Verify([]byte(rfcLast)); err != nil {
		t.Error(err)
	}
}

func TestAUserNameIsEscaped(t *testing.T) {
	t.Parallel()
	first := (&Client{User: "a=b,c"}).First()
	if !bytes.HasPrefix(first, []byte("n,,n=a=3Db=2Cc,r=")) || len(first) != len("n,,n=a=3Db=2Cc,r=")+24 {
		t.Errorf("%s", first)
	}
}

func TestMessagesThatTheServerMustNotSendAreRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "password")
	if _, err := c.Final(t.Context(), []byte(rfcFirst)); !errors.Is(err, ErrProtocol) {
		t.Errorf("Final without First: %v", err)
	}
	if err := c.Verify([]byte(rfcLast)); !errors.Is(err, ErrProtocol) {
		t.Errorf("Verify without Final: %v", err)
	}
	c.First()
	for _, message := range []string{
		"", "r", "r=", "r=,s=,i=", rfcFirst, // another nonce
		"m=x,r=" + c.nonce + "x,s=c2FsdA==,i=1",
		"r=" + c.nonce + ",s=c2FsdA==,i=1", // nothing of the server's own
		"r=" + c.nonce + "x,s=,i=1",
		"r=" + c.nonce + "x,s=%,i=1",
		"r=" + c.nonce + "x,s=c2FsdA==,i=0",
		"r=" + c.nonce + "x,s=c2FsdA==,i=-1",
		"r=" + c.nonce + "x,s=c2FsdA==,i=409601",
		"r=" + c.nonce + "x,s=c2FsdA==,i=99999999999999999999",
		"r=" + c.nonce + "x,i=1,s=c2FsdA==",
	} {
		if _, err := c.Final(t.Context(), []byte(message)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %v", message, err)
		}
	}
	// RFC 5802, section 5.1: who does not know what m= says must not go on.
	for _, extensions := range []string{",m=x", ",x=later,m=x"} {
		if _, err := c.Final(t.Context(), []byte("r="+c.nonce+"x,s=c2FsdA==,i=1"+extensions)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %v", extensions, err)
		}
	}
	if _, err := c.Final(t.Context(), []byte("r="+c.nonce+"x,s=c2FsdA==,i=1,x=later")); err != nil {
		t.Errorf("with an extension: %v", err)
	}
}

func TestPasswordsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"pässword", strings.Repeat("x", MaxPassword+1)} {
		t.Run(fmt.Sprint(len(password)), func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "", password)
			c.First()
			if _, err := c.Final(t.Context(), []byte("r="+c.nonce+"x,s=c2FsdA==,i=1")); !errors.Is(err, ErrPassword) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTheEndOfTheContextEndsTheComputation(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "password")
	c.First()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := c.Final(ctx, fmt.Appendf(nil, "r=%sx,s=c2FsdA==,i=%d", c.nonce, MaxIterations)); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

// meeting is a password that can be used once so many logins want it.
type meeting struct {
	Password
	missing atomic.Int32
	all     chan struct{}
}

func (m *meeting) UseContext(ctx context.Context, fn func([]byte) error) error {
	if m.missing.Add(-1) == 0 {
		close(m.all)
	}
	select {
	case <-m.all:
		return m.Password.UseContext(ctx, fn)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A login takes memory for the password and for the computation. If it held one of them
// while it waits for the other, many at once would wait for each other in a circle.
func TestALoginThatWaitsForItsPasswordHoldsNoMemory(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "password")
	const logins = 64 // more than fit
	password := &meeting{Password: c.Password, all: make(chan struct{})}
	password.missing.Store(logins)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var group sync.WaitGroup
	for range logins {
		group.Go(func() {
			c := &Client{Password: password, Session: c.Session}
			c.First()
			if _, err := c.Final(ctx, []byte("r="+c.nonce+"x,s=c2FsdA==,i=600")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// A login with passwords of all lengths is what the standard library computes.
func TestProofsAreTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "x")
	session := c.Session
	for _, length := range []int{1, 31, 63, 64, 65, 200, MaxPassword} {
		password := strings.Repeat("p", length-1) + "!"
		e, err := session.New([]byte(password))
		if err != nil {
			t.Fatal(err)
		}
		for _, iterations := range []int{1, 2, 255, 256, 257, 1000} {
			c := &Client{Password: e, Session: session}
			c.First()
			first := fmt.Sprintf("r=%sserver,s=c2FsdA==,i=%d", c.nonce, iterations)
			final, err := c.Final(t.Context(), []byte(first))
			if err != nil {
				t.Fatal(err)
			}
			last, err := answer(password, c.bare, first, string(final))
			if err != nil {
				t.Fatalf("%d bytes, %d iterations: %v", length, iterations, err)
			}
			if err := c.Verify([]byte(last)); err != nil {
				t.Errorf("%d bytes, %d iterations: %v", length, iterations, err)
			}
		}
	}
}

// answer is a server's: it checks the proof with the standard library.
func answer(password, bare, first, final string) (string, error) {
	_, salt, iterations, err := parseFirst(first, "")
	if err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	sum := func(key []byte, message string) []byte {
		h := hmac.New(sha256.New, key)
		_, _ = io.WriteString(h, message) // a hash takes all
		return h.Sum(nil)
	}
	without, proof, _ := strings.Cut(final, ",p=")
	auth := bare + "," + first + "," + without
	given, err := base64.StdEncoding.DecodeString(proof)
	if err != nil {
		return "", err
	}
	key := sum(salted, "Client Key")
	stored := sha256.Sum256(key)
	for i, b := range sum(stored[:], auth) {
		key[i] ^= b
	}
	if !bytes.Equal(key, given) {
		return "", errors.New("a wrong proof")
	}
	return "v=" + base64.StdEncoding.EncodeToString(sum(sum(salted, "Server Key"), auth)), nil
}

// message is one of PostgreSQL's.
func message(kind byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
}

// auth is an authentication message.
func auth(ask uint32, body string) []byte {
	return message(typeAuthentication, string(binary.BigEndian.AppendUint32(nil, ask))+body)
}

// A scripted server sends messages, whatever it is answered.
func scripted(t *testing.T, c *Client, messages ...[]byte) (got []byte, err error) {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, theirs) }() // ends with the connection
	go func() {
		defer theirs.Close()
		for _, m := range messages {
			if _, err := theirs.Write(m); err != nil {
				return
			}
		}
	}()
	defer ours.Close()
	conn := PostgreSQL(t.Context(), ours, c.Password).(*postgres)
	conn.client.Session = c.Session
	conn.client.nonce = c.nonce
	return io.ReadAll(conn)
}

func TestLoginsThatPostgreSQLMustNotOfferFail(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "password")
	offer := auth(askSASL, Mechanism+"\x00\x00")
	for what, script := range map[string]struct {
		messages [][]byte
		err      error
	}{
		"cleartext":            {[][]byte{auth(askCleartext, "")}, ErrProtocol},
		"MD5":                  {[][]byte{auth(askMD5, "salt")}, ErrProtocol},
		"other mechanisms":     {[][]byte{auth(askSASL, "SCRAM-SHA-256-PLUS\x00\x00")}, ErrProtocol},
		"twice":                {[][]byte{offer, offer}, ErrProtocol},
		"success without SASL": {[][]byte{offer, auth(askNothing, "")}, ErrServer},
		"final first":          {[][]byte{auth(askSASLFinal, "v=")}, ErrProtocol},
		"continue first":       {[][]byte{auth(askSASLContinue, rfcFirst)}, ErrProtocol},
		"a foreign nonce":      {[][]byte{offer, auth(askSASLContinue, rfcFirst)}, ErrProtocol},
		"a long message":       {[][]byte{{'R', 0xff, 0xff, 0xff, 0xff}}, ErrProtocol},
		"a short message":      {[][]byte{{'R', 0, 0, 0, 3}}, ErrProtocol},
		"half a message":       {[][]byte{{'R', 0, 0, 0, 8, 0}}, io.ErrUnexpectedEOF},
	} {
		if got, err := scripted(t, c, script.messages...); !errors.Is(err, script.err) || len(got) > 0 {
			t.Errorf("%s: %q, %v, want %v", what, got, err, script.err)
		}
	}
}

// Once the proof is out, only the server's own proof ends the login: clients take
// ReadyForQuery for its end, whatever came before it.
func TestALoginThatBeganDoesNotEndWithoutTheServersProof(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "password")
	offer := auth(askSASL, Mechanism+"\x00\x00")
	for what, messages := range map[string][][]byte{
		"ready":              {message('Z', "I")},
		"a key":              {message('K', "key")},
		"GSS":                {auth(7, "")},
		"no authentication":  {message('R', "abc")},
		"success after an E": {message('E', "SERROR\x00"), auth(askNothing, "")},
		"ready after an E":   {message('E', "SERROR\x00"), message('Z', "I")},
	} {
		got, err := scripted(t, c, append([][]byte{offer}, messages...)...)
		if passed := bytes.Join(messages[:len(messages)-1], nil); !errors.Is(err, ErrServer) || !bytes.Equal(got, passed) {
			t.Errorf("%s: %q, %v, want %q", what, got, err, passed)
		}
	}
}

// An error or a notice within the login is for the client.
func TestErrorsAndNoticesWithinALoginPass(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "password")
	notice, failure := message('N', "x"), message('E', "SFATAL\x00")
	got, err := scripted(t, c, auth(askSASL, Mechanism+"\x00\x00"), notice, failure)
	if err != nil || !bytes.Equal(got, append(notice, failure...)) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOtherMessagesPass(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "password")
	for what, messages := range map[string][][]byte{
		"trust":         {auth(askNothing, ""), message('K', "key"), message('Z', "I")},
		"an error":      {message('E', "SFATAL\x00"), message('R', "xyz")},
		"a notice":      {message('N', "x"), auth(askNothing, ""), message('R', "no authentication now")},
		"GSS":           {auth(7, ""), auth(8, "x")},
		"short message": {message('R', "abc"), auth(askNothing, "")},
	} {
		if got, err := scripted(t, c, messages...); err != nil || !bytes.Equal(got, bytes.Join(messages, nil)) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}
