package leaving

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/ssh"

	"github.com/memkeep/memkeep/enclave/keys"
	memkeepjwt "github.com/memkeep/memkeep/tests/jwt"
)

// p256Secret returns a new key in PKCS #8.
func p256Secret(t *testing.T) ([]byte, []needle) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return der, p256Needles(scalar)
}

// p256Needles are a private key's scalar, as bytes and as the words of arithmetic.
func p256Needles(scalar []byte) []needle {
	return []needle{{"scalar", scalar}, {"scalar, as words", reversed(scalar)}}
}

func reversed(b []byte) []byte {
	b = slices.Clone(b)
	slices.Reverse(b)
	return b
}

// ed25519Secret returns a new seed.
func ed25519Secret(*testing.T) ([]byte, []needle) {
	seed := randomBytes(ed25519.SeedSize)
	return seed, ed25519Needles(seed)
}

// ed25519Needles are a seed, and what a signature makes of it.
func ed25519Needles(seed []byte) []needle {
	expanded := sha512.Sum512(seed)
	clamped := slices.Clone(expanded[:32])
	clamped[0] &= 248
	clamped[31] = clamped[31]&127 | 64
	return []needle{{"seed", seed}, {"scalar", clamped}, {"prefix", expanded[32:]}}
}

// parse returns what programs make of the secret.
func parse(secret []byte) (crypto.Signer, error) {
	if len(secret) == ed25519.SeedSize {
		return ed25519.NewKeyFromSeed(secret), nil
	}
	k, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return nil, err
	}
	return k.(*ecdsa.PrivateKey), nil
}

// key makes the secret a key of package keys.
func (u *user) key() (*keys.PrivateKey, error) {
	in := keys.In(u.session)
	if u.secret.Size() != ed25519.SeedSize {
		return in.FromEnclave(u.secret)
	}
	var k *keys.PrivateKey
	err := u.writable(func(seed []byte) (err error) {
		k, err = in.ParseSeed(seed)
		return err
	})
	return k, err
}

// signer returns what gives the key for each use: once parsed on the heap, parsed
// for each use in Use, or a key of package keys.
func (u *user) signer() (func() (crypto.Signer, error), error) {
	switch u.way {
	case obvious:
		return func() (k crypto.Signer, err error) {
			err = u.secret.Use(func(secret []byte) error {
				k, err = parse(secret)
				return err
			})
			return k, err
		}, nil
	case heap:
		k, err := parse(u.onHeap)
		return func() (crypto.Signer, error) { return k, nil }, err
	}
	k, err := u.key()
	return func() (crypto.Signer, error) { return k, nil }, err
}

// issueSigned issues tokens with signatures and checks them.
func (u *user) issueSigned(theirs jwt.SigningMethod, ours memkeepjwt.Method) error {
	signer, err := u.signer()
	if err != nil {
		return err
	}
	u.keeping = signer
	method := theirs
	if u.way == recommended {
		method = ours
	}
	return inParallel(u.operations, func(int) error {
		k, err := signer()
		if err != nil {
			return err
		}
		_, err = issue(method, k, k.Public(), "somebody")
		return err
	})
}

// serveTLS is a TLS server.
func (u *user) serveTLS() error {
	signer, err := u.signer()
	if err != nil {
		return err
	}
	k, err := signer()
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		return err
	}
	config := &tls.Config{
		SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			k, err := signer()
			return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}, err
		},
	}
	return u.serveConns(func(c net.Conn) error {
		// The client's end tells that it has seen the server's.
		conn := tls.Server(c, config)
		if err := conn.HandshakeContext(context.Background()); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, conn)
		return err
	})
}

func dialTLS(t *testing.T, address string, _ []byte) {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true} // the handshake proves that the server has the key
	err := inParallel(scaled(), func(int) error {
		conn, err := tls.Dial("tcp", address, config)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		t.Error(err)
	}
}

// serveSSH is an SSH server.
func (u *user) serveSSH() error {
	signer, err := u.signer()
	if err != nil {
		return err
	}
	return u.serveConns(func(c net.Conn) error {
		k, err := signer()
		if err != nil {
			return err
		}
		host, err := ssh.NewSignerFromSigner(k)
		if err != nil {
			return err
		}
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(host)
		conn, channels, requests, err := ssh.NewServerConn(c, config)
		if err != nil {
			return err
		}
		go ssh.DiscardRequests(requests)
		for range channels {
			return errors.New("a channel that nobody asked for")
		}
		_ = conn.Wait() // the client's leaving is what it waits for
		return nil
	})
}

func dialSSH(t *testing.T, address string, secret []byte) {
	t.Helper()
	public, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(secret).Public())
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ClientConfig{User: "somebody", HostKeyCallback: ssh.FixedHostKey(public)}
	err = inParallel(scaled(), func(int) error {
		client, err := ssh.Dial("tcp", address, config)
		if err != nil {
			return err
		}
		return client.Close()
	})
	if err != nil {
		t.Error(err)
	}
}

// serveConns has f serve each connection until the test has used the server.
func (u *user) serveConns(f func(net.Conn) error) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return // closed below
			}
			go func() {
				defer c.Close()
				_ = f(c) // the client has the other end of the error
			}()
		}
	}()
	if err := u.serves(listener.Addr().String()); err != nil {
		return err
	}
	err = listener.Close()
	<-ended
	return err
}
