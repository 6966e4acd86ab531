package keys_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

// signers are the algorithms of certificates.
var signers = []keys.Algorithm{keys.Ed25519, keys.ECDSAP256, keys.ECDSAP384, keys.RSA2048}

// certificate returns a certificate that k signed itself, in DER.
func certificate(t *testing.T, k crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "test"},
		DNSNames:     []string{"test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true,

		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestKeysServeTLS(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, alg := range signers {
		k := parse(t, in, standardKeys()[alg])
		der := certificate(t, k)
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := leaf.CheckSignatureFrom(leaf); err != nil {
			t.Errorf("%v: %v", alg, err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(leaf)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
			server := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
			client := &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: "test", MaxVersion: version}
			if err := handshake(server, client); err != nil {
				t.Errorf("%v, TLS %x: %v", alg, version, err)
			}
		}
	}
}

// handshake has a server and a client meet.
func handshake(server, client *tls.Config) error {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(a, server).Handshake() }()
	c := tls.Client(b, client)
	err := c.Handshake()
	if err == nil {
		// In TLS 1.3 the client ends first, and has to read on.
		go func() { _, _ = c.Read(make([]byte, 1)) }()
	} else {
		b.Close()
	}
	return errors.Join(err, <-done)
}

func TestKeysSignForSSH(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, alg := range signers {
		signer, err := ssh.NewSignerFromSigner(parse(t, in, standardKeys()[alg]))
		if err != nil {
			t.Fatal(err)
		}
		message := []byte("message")
		s, err := signer.Sign(rand.Reader, message)
		if err == nil {
			err = signer.PublicKey().Verify(message, s)
		}
		if err != nil {
			t.Errorf("%v: %v", alg, err)
		}
	}
}

func TestLoadX509KeyPairLoadsWhatTLSLoads(t *testing.T) {
	t.Parallel()
	in := in(t)
	dir := testenv.TempDir(t)
	write := func(name string, blocks ...*pem.Block) string {
		var text []byte
		for _, b := range blocks {
			text = append(text, pem.EncodeToMemory(b)...)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var foreign string
	for _, alg := range signers {
		standard := standardKeys()[alg]
		der := certificate(t, parse(t, in, standard))
		certBlock := &pem.Block{Type: "CERTIFICATE", Bytes: der}
		keyBlock := &pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8(t, standard)}
		cert := write("cert", certBlock, certBlock)
		key := write(alg.String(), keyBlock)
		both := write("both", keyBlock, certBlock, certBlock)
		for _, files := range [][2]string{{cert, key}, {both, both}} {
			want, err := tls.LoadX509KeyPair(files[0], files[1])
			if err != nil {
				t.Fatal(err)
			}
			got, err := in.LoadX509KeyPair(files[0], files[1])
			if err != nil {
				t.Errorf("%v: %v", alg, err)
				continue
			}
			k, ok := got.PrivateKey.(*keys.PrivateKey)
			if !ok || !k.Equal(want.PrivateKey) || len(got.Certificate) != 2 || !bytes.Equal(got.Certificate[0], want.Certificate[0]) || !got.Leaf.Equal(want.Leaf) {
				t.Errorf("%v: another certificate or key", alg)
			}
		}
		if foreign != "" {
			if _, err := in.LoadX509KeyPair(cert, foreign); !errors.Is(err, keys.ErrMismatch) {
				t.Errorf("%v: a foreign key: %v", alg, err)
			}
		}
		if _, err := in.LoadX509KeyPair(key, key); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("%v: no certificate: %v", alg, err)
		}
		if _, err := in.LoadX509KeyPair(cert, cert); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("%v: no key: %v", alg, err)
		}
		foreign = key
	}
	if _, err := in.LoadX509KeyPair(filepath.Join(dir, "none"), foreign); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A server loads all its certificates at once, under whatever limit.
func TestManyKeyPairsAreLoadedAtOnceUnderTheSmallestLimit(t *testing.T) {
	t.Parallel()
	in := in(t)
	dir := testenv.TempDir(t)
	file := filepath.Join(dir, "both")
	standard := standardKeys()[keys.RSA2048]
	var text []byte
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(t, parse(t, in, standard))})...)
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8(t, standard)})...)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var group sync.WaitGroup
	next := testenv.Sampled(5)
	for range 50 {
		if !next() {
			continue
		}
		group.Go(func() {
			if _, err := in.WithContext(ctx).LoadX509KeyPair(file, file); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// In the smallest session that can do it, the keys take turns. If a call held memory while
// it waited for more, they would wait for each other.
func TestManyKeysComeFromEnclavesWhereOneFits(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, testenv.SmallLimit())
	file := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8(t, standardKeys()[keys.RSA2048])})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for budget := 3 * os.Getpagesize(); ; budget += os.Getpagesize() {
		if budget > testenv.SmallLimit() {
			t.Fatal("no session is large enough")
		}
		session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
		if err != nil {
			continue // it takes more
		}
		in := keys.In(session).WithContext(ctx)
		e, err := session.NewCopy(file)
		if err == nil {
			_, err = in.FromEnclave(e)
		}
		if _, ok := errors.AsType[*enclave.LimitError](err); ok {
			session.Close()
			continue
		}
		defer session.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d pages", budget/os.Getpagesize())
		var group sync.WaitGroup
		next := testenv.Sampled(5)
		for range 40 {
			if !next() {
				continue
			}
			group.Go(func() {
				if _, err := in.FromEnclave(e); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		return
	}
}

func TestLoadX509KeyPairWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := in(t).WithContext(ctx).LoadX509KeyPair("none", "none")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
