package keys

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys/internal/keyfile"
	"github.com/memkeep/memkeep/enclave/load"
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
// certificates [ErrFormat]; a file of more than 1 MiB is [load.ErrTooLarge]. Like
// tls.LoadX509KeyPair it accepts files that every user may read.
func (s Session) LoadX509KeyPair(certFile, keyFile string) (tls.Certificate, error) {
	chain, err := fromFile(s, certFile, func(e *enclave.Enclave) (*[][]byte, error) {
		return fromEnclave(s, e, func(text []byte) (*[][]byte, error) {
			chain, err := keyfile.Certificates(text)
			return &chain, err
		})
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	cert := tls.Certificate{Certificate: *chain}
	if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return tls.Certificate{}, err
	}
	k, err := fromFile(s, keyFile, s.FromEnclave)
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

// fromFile returns what parse makes of a file's content. It holds no locked memory while
// it waits for more. An error names the file.
func fromFile[T any](s Session, name string, parse func(text *enclave.Enclave) (*T, error)) (*T, error) {
	in := load.Loader{Session: s.session(), KeepLineEnd: true, AllowWorldReadable: true}
	e, err := in.File(s.context(), name)
	if err != nil {
		return nil, err
	}
	defer e.Destroy()
	parsed, err := parse(e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parsed, nil
}
