package keys_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
)

// A key signs like any other crypto.Signer.
func Example() {
	k, err := keys.Generate(context.Background(), keys.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	message := []byte("a message")
	signature, err := k.Sign(nil, message, crypto.Hash(0))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ed25519.Verify(k.Public().(ed25519.PublicKey), message, signature))
	// Output: true
}

// A key file that was read into a slice is wiped there by Parse.
func ExampleParse() {
	text, err := os.ReadFile("testdata/example.pem")
	if err != nil {
		log.Fatal(err)
	}
	k, err := keys.Parse(text)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(k)
	// Output: [ECDSA P-256 private key, 256 bits, SHA256:seCG+a7h1Id/d+/KOcX1WCu1+LlKBbUyVeUBsuN6niY]
}

// A server's certificate signs itself, and serves TLS.
func ExamplePrivateKey_tls() {
	k, err := keys.Generate(context.Background(), keys.ECDSAP256)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true,

		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: k}}}
	server.StartTLS()
	defer server.Close()

	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}}
	response, err := client.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", body)
	// Output: hello
}

// An SSH host key, user key or agent's key.
func ExamplePrivateKey_ssh() {
	k, err := keys.Generate(context.Background(), keys.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := ssh.NewSignerFromSigner(k)
	if err != nil {
		log.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	fmt.Println(signer.PublicKey().Type())
	// Output: ssh-ed25519
}

// A webhook's signature is verified without the right one leaving locked memory.
func ExampleMAC_Verify() {
	m, err := keys.NewMAC(crypto.SHA256, []byte("the webhook's secret"))
	if err != nil {
		log.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, "bad body", http.StatusBadRequest)
			return
		}
		tag, err := hex.DecodeString(strings.TrimPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256="))
		if err != nil || m.Verify(body, tag) != nil {
			http.Error(w, "bad signature", http.StatusForbidden)
		}
	})

	tag, err := m.Sum([]byte("the body"))
	if err != nil {
		log.Fatal(err)
	}
	for _, body := range []string{"the body", "another"} {
		request := httptest.NewRequest("POST", "/", strings.NewReader(body))
		request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(tag))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 403
}

// Keys of a session of their own share its budget, and end with it.
func ExampleIn() {
	session, err := enclave.NewSession(enclave.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	a, err := keys.In(session).NewAEAD(make([]byte, keys.AEADKeySize)) // use a secret key
	if err != nil {
		log.Fatal(err)
	}
	nonce := make([]byte, a.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		log.Fatal(err)
	}
	sealed := a.Seal(nil, nonce, []byte("plaintext"), []byte("additional data"))
	opened, err := a.Open(nil, nonce, sealed, []byte("additional data"))
	fmt.Printf("%s %v\n", opened, err)
	// Output: plaintext <nil>
}
