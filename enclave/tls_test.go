package enclave_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// keyAndCertificate returns a new private key in PKCS #8 and its certificate.
func keyAndCertificate(t *testing.T) (der, certificate []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err = x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	if der, err = x509.MarshalPKCS8PrivateKey(k); err != nil {
		t.Fatal(err)
	}
	return der, certificate
}

// handshake has a client and a server with that key shake hands and say something.
func handshake(key, certificate []byte, version uint16) (err error) {
	k, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	clientEnd, serverEnd := net.Pipe()
	said := bytes.Repeat([]byte("memkeep "), 1<<10)
	client := make(chan error)
	go func() {
		conn := tls.Client(clientEnd, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		_, err := conn.Write(said)
		client <- errors.Join(err, conn.Close())
	}()
	conn := tls.Server(serverEnd, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: k}},
	})
	heard, err := io.ReadAll(conn)
	serverEnd.Close() // ends the client if the server failed
	if err = errors.Join(err, <-client); err != nil {
		return err
	}
	if got := conn.ConnectionState().Version; got != version || !bytes.Equal(heard, said) {
		return fmt.Errorf("version %x, want %x; heard %d of %d bytes or others", got, version, len(heard), len(said))
	}
	return nil
}

// What secret.Do erases is erased while the collector sweeps: golang/go#76865 is about
// handshakes in which it erased what was still in use. Without the experiment both
// settings are the same.
func TestTLSHandshakesInsideUse(t *testing.T) {
	t.Parallel()
	key, certificate := keyAndCertificate(t)
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoRuntimeSecret %v", off), func(t *testing.T) {
			e := newEnclave(t, newSession(t, enclave.Config{NoRuntimeSecret: off}), key)
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					next := testenv.Sampled(5)
					for i := range 50 {
						if !next() {
							continue
						}
						version := []uint16{tls.VersionTLS12, tls.VersionTLS13}[i%2]
						if err := e.Use(func(key []byte) error { return handshake(key, certificate, version) }); err != nil {
							t.Errorf("handshake %d: %v", i, err)
							return
						}
						if i%10 == 0 {
							runtime.GC()
						}
					}
				})
			}
			group.Wait()
		})
	}
}
