package keys_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
)

// A servedPair is a server's certificate and key, which follow their files.
type servedPair struct {
	certFile, keyFile string
	source            *load.Rotating // tells when the key's file has changed

	mu      sync.Mutex // protects what follows
	version uint64
	pair    *tls.Certificate
}

// GetCertificate is for the field of that name in tls.Config.
func (p *servedPair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	version := p.source.Stats().Version
	if version == p.version {
		return p.pair, nil
	}
	pair, err := keys.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		// If the certificate is not replaced yet, the two don't match. Connections get the
		// pair before, and the next one tries again.
		if p.pair != nil {
			err = nil
		}
		return p.pair, err
	}
	p.version, p.pair = version, &pair
	return p.pair, nil
}

// A server whose certificate is renewed while it runs, as cert-manager does in Kubernetes.
func Example_rotatingCertificate() {
	dir, err := os.MkdirTemp("", "tls")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	p := &servedPair{certFile: filepath.Join(dir, "tls.crt"), keyFile: filepath.Join(dir, "tls.key")}
	writePair(p, 1)

	ref, err := load.ParseRef("file:" + p.keyFile)
	if err != nil {
		log.Fatal(err)
	}
	p.source, err = load.NewRotating(context.Background(), ref, load.RotatingConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.source.Close()
	config := &tls.Config{GetCertificate: p.GetCertificate} // for http.Server and others

	fmt.Println(serial(config))
	writePair(p, 2)
	if err := p.source.Reload(context.Background()); err != nil { // or wait for it to see the file
		log.Fatal(err)
	}
	fmt.Println(serial(config))
	// Output:
	// 1
	// 2
}

// writePair makes a key and a certificate of it.
func writePair(p *servedPair, serial int64) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"example.org"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		log.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		log.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{p.certFile: {Type: "CERTIFICATE", Bytes: cert}, p.keyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			log.Fatal(err)
		}
	}
}

// serial returns the serial number of the certificate that a client would get.
func serial(config *tls.Config) *big.Int {
	c, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: "example.org"})
	if err != nil {
		log.Fatal(err)
	}
	return c.Leaf.SerialNumber
}
