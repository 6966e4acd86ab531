package libraries

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"

	"github.com/golang-jwt/jwt/v5"
	"github.com/memkeep/memkeep/enclave"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/ssh"
)

func parsers(e *enclave.Enclave, certificate, point []byte, token *jwt.Token) error {
	return e.Use(func(secret []byte) error {
		pem.Decode(secret)                                // want `pem.Decode copies the secret to the heap: use keys.FromEnclave, or load.PEM`
		x509.ParseECPrivateKey(secret)                    // want `x509.ParseECPrivateKey copies the secret to the heap: use keys.FromEnclave`
		x509.ParsePKCS1PrivateKey(secret)                 // want `x509.ParsePKCS1PrivateKey copies the secret to the heap: use keys.FromEnclave`
		ecdsa.ParseRawPrivateKey(elliptic.P256(), secret) // want `ecdsa.ParseRawPrivateKey copies the secret to the heap: use keys.FromEnclave`
		tls.X509KeyPair(certificate, secret)              // want `tls.X509KeyPair copies the secret to the heap: use keys.FromEnclave, or keys.LoadX509KeyPair`
		ssh.ParsePrivateKey(secret)                       // want `ssh.ParsePrivateKey copies the secret to the heap: use keys.FromEnclave and ssh.NewSignerFromSigner`
		ssh.ParseRawPrivateKey(secret)                    // want `ssh.ParseRawPrivateKey copies the secret to the heap: use keys.FromEnclave and ssh.NewSignerFromSigner`
		curve25519.X25519(secret, point)                  // want `curve25519.X25519 copies the secret to the heap: use keys.FromEnclave and PrivateKey.ECDH`
		chacha20poly1305.New(secret)                      // want `chacha20poly1305.New copies the secret to the heap: use keys.AEADFromEnclave`
		token.SignedString(secret)                        // want `jwt.Token.SignedString copies the secret to the heap: use keys.MACFromEnclave, or keys.FromEnclave, with an adapter such as memkeep's tests/jwt`
		_, err := jwt.ParseRSAPrivateKeyFromPEM(secret)   // want `jwt.ParseRSAPrivateKeyFromPEM copies the secret to the heap: use keys.FromEnclave`
		_, err = jwt.ParseECPrivateKeyFromPEM(secret)     // want `jwt.ParseECPrivateKeyFromPEM copies the secret to the heap: use keys.FromEnclave`
		_, err = jwt.ParseEdPrivateKeyFromPEM(secret)     // want `jwt.ParseEdPrivateKeyFromPEM copies the secret to the heap: use keys.FromEnclave`
		return err
	})
}
