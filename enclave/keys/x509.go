package keys

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/memkeep/memkeep/enclave/keys/internal/keyfile"
)

// LoadX509KeyPair reads a certificate chain and its key into the default session:
// see [Session.LoadX509KeyPair].
func LoadX509KeyPair(certFile, keyFile string) (tls.Certificate, error) {
	return Session{}.LoadX509KeyPair(certFile, keyFile)
}

// LoadX509KeyPair reads a certificate chain and its private key from PEM files, as
// [tls.LoadX509KeyPair] does; they may be one file. Both go from the file straight
// into locked memory, and the certificate's PrivateKey is a *[PrivateKey]. A key
// that does not belong to the first certificate is [ErrMismatch], a file without
// certificates [ErrFormat].
func (s Session) LoadX509KeyPair(certFile, keyFile string) (tls.Certificate, error) {
	var cert tls.Certificate
	err := s.readFile(certFile, func(text []byte) (err error) {
		cert.Certificate, err = keyfile.Certificates(text)
		return err
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return tls.Certificate{}, err
	}
	var k *PrivateKey
	err = s.readFile(keyFile, func(text []byte) (err error) {
		k, err = s.parse(text)
		return err
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	public, ok := k.public.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(cert.Leaf.PublicKey) {
		k.Destroy()
		return tls.Certificate{}, fmt.Errorf("%w: that of the certificate", ErrMismatch)
	}
	cert.PrivateKey = k
	return cert, nil
}

// readFile runs fn on a file's content in locked memory. An error names the file.
func (s Session) readFile(name string, fn func(text []byte) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := s.session().ReadAll(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := errors.Join(b.Use(fn), b.Destroy()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
