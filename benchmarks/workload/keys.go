package workload

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/memkeep/memkeep/enclave/keys"
)

const (
	// OpSign signs 64 bytes with a key of Request.Algorithm.
	OpSign Op = "sign"
	// OpHandshake is a handshake of TLS 1.3, both of its sides, with a certificate of
	// such a key.
	OpHandshake Op = "handshake"
)

// Algorithms of keys, as Request.Algorithm names them.
const (
	Ed25519    = "Ed25519"
	ECDSAP256  = "ECDSA P-256"
	RSA2048    = "RSA 2048"
	HMACSHA256 = "HMAC-SHA-256"
)

// signers are the keys that a child has made.
type signers map[signerID]crypto.Signer

type signerID struct {
	algorithm string
	heap      bool
}

// measure measures what is done with one key, which all goroutines share: of package
// keys, or of the standard library's, on the heap.
func (all signers) measure(r Request) (Sample, error) {
	prepare := all.signing
	if r.Op == OpHandshake {
		prepare = all.handshaking
	}
	op, err := prepare(r)
	if err != nil {
		return Sample{}, err
	}
	tasks := make([]task, r.Goroutines)
	for i := range tasks {
		tasks[i].op = op
	}
	return measure(r, tasks)
}

// key returns the key that is asked for. Making an RSA key takes long.
func (all signers) key(r Request) (crypto.Signer, error) {
	id := signerID{r.Algorithm, r.Heap}
	if all[id] == nil {
		k, err := newKey(r)
		if err != nil {
			return nil, err
		}
		all[id] = k
	}
	return all[id], nil
}

// message is what is signed.
var message [64]byte

// signing returns what signs the message.
func (all signers) signing(r Request) (func(int) error, error) {
	if r.Algorithm == HMACSHA256 {
		return authenticating(r)
	}
	key, err := all.key(r)
	if err != nil {
		return nil, err
	}
	signed, hash := message[:], crypto.Hash(0)
	if r.Algorithm != Ed25519 {
		digest := sha256.Sum256(message[:])
		signed, hash = digest[:], crypto.SHA256
	}
	sign := func(int) error {
		_, err := key.Sign(rand.Reader, signed, hash)
		return err
	}
	signature, err := key.Sign(rand.Reader, signed, hash)
	if err == nil {
		err = verify(key.Public(), signed, signature)
	}
	return sign, err
}

// authenticating returns what computes the message's tag.
func authenticating(r Request) (func(int) error, error) {
	key := randomBytes(32)
	tag := func() []byte {
		h := hmac.New(sha256.New, key)
		h.Write(message[:])
		return h.Sum(nil)
	}
	if r.Heap {
		return func(int) error { tag(); return nil }, nil
	}
	right := tag()
	m, err := keys.NewMAC(crypto.SHA256, key)
	if err != nil {
		return nil, err
	}
	if err := m.Verify(message[:], right); err != nil {
		return nil, err
	}
	return func(int) error {
		_, err := m.Sum(message[:])
		return err
	}, nil
}

// newKey makes a key.
func newKey(r Request) (crypto.Signer, error) {
	if !r.Heap {
		alg, ok := map[string]keys.Algorithm{Ed25519: keys.Ed25519, ECDSAP256: keys.ECDSAP256, RSA2048: keys.RSA2048}[r.Algorithm]
		if !ok {
			return nil, errors.New("no algorithm is called " + r.Algorithm)
		}
		return keys.Generate(context.Background(), alg)
	}
	switch r.Algorithm {
	case Ed25519:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, errors.New("no algorithm is called " + r.Algorithm)
}

// verify holds a signature to what the standard library verifies.
func verify(public crypto.PublicKey, signed, signature []byte) error {
	right := false
	switch k := public.(type) {
	case ed25519.PublicKey:
		right = ed25519.Verify(k, signed, signature)
	case *ecdsa.PublicKey:
		right = ecdsa.VerifyASN1(k, signed, signature)
	case *rsa.PublicKey:
		right = rsa.VerifyPKCS1v15(k, crypto.SHA256, signed, signature) == nil
	}
	if !right {
		return fmt.Errorf("a wrong signature of a %T", public)
	}
	return nil
}

// handshaking returns what makes a handshake, through memory.
func (all signers) handshaking(r Request) (func(int) error, error) {
	key, err := all.key(r)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"keys.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	server := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}},
		MinVersion:   tls.VersionTLS13, SessionTicketsDisabled: true,
	}
	client := &tls.Config{RootCAs: roots, ServerName: "keys.test", MinVersion: tls.VersionTLS13}
	return func(int) error {
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- tls.Server(far, server).Handshake() }()
		err := errors.Join(tls.Client(near, client).Handshake(), <-done)
		return errors.Join(err, near.Close(), far.Close())
	}, nil
}
