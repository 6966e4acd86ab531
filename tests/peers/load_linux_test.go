package peers

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys"
)

// signer is an HTTP handler that signs the body of a request with the key that the
// path gives the number of.
func signer(all []*keys.PrivateKey) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{key}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("key"))
		if err != nil || n < 0 || n >= len(all) {
			http.NotFound(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		k := all[n].WithContext(r.Context())
		signature, err := k.SignMessage(nil, body, hashFor(k))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(signature) // a client that left is no error here
	})
	return mux
}

// hashFor is the hash that a key signs with.
func hashFor(k *keys.PrivateKey) crypto.Hash {
	if k.Algorithm() == keys.Ed25519 {
		return 0
	}
	return crypto.SHA256
}

// right reports whether the signature is the message's, by the standard library.
func right(public crypto.PublicKey, message, signature []byte) bool {
	digest := sha256.Sum256(message)
	switch public := public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	}
	return false
}

// request has the server sign a message, and verifies the signature.
func request(client *http.Client, url string, public crypto.PublicKey, message []byte) error {
	response, err := client.Post(url, "application/octet-stream", bytes.NewReader(message))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	if !right(public, message, body) {
		return errors.New("a wrong signature")
	}
	return nil
}

// A server has a hundred thousand keys, and two hundred clients at once.
func TestHundredThousandKeysFailNoRequest(t *testing.T) {
	if !alone(t) {
		return
	}
	count, clients := scaled(100_000, 2000, 400), scaled(200, 200, 50)
	all := make([]*keys.PrivateKey, count)
	for i := range all {
		switch {
		case i < 2:
			all[i] = generate(t, keys.RSA2048)
		case i%10 == 0:
			all[i] = generate(t, keys.ECDSAP384)
		default:
			all[i] = generate(t, []keys.Algorithm{keys.Ed25519, keys.ECDSAP256}[i%2])
		}
	}
	server := httptest.NewServer(signer(all))
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = clients

	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			sign := func(n int) {
				message := fmt.Appendf(nil, "a request of client %d", c)
				if err := request(client, fmt.Sprintf("%s/%d", server.URL, n), all[n].Public(), message); err != nil {
					t.Errorf("client %d, key %d, %v: %v", c, n, all[n], err)
				}
			}
			// Together they use every key once, and the RSA keys more often.
			for n := c; n < count; n += clients {
				if n/clients%20 == 0 {
					sign(n % 2)
				}
				sign(n)
			}
		})
	}
	group.Wait()
	checkLimit(t)

	// Nothing was mixed up: no two keys are the same.
	fingerprints := make([]string, count)
	for i, k := range all {
		fingerprints[i] = k.Fingerprint()
	}
	slices.Sort(fingerprints)
	if distinct := len(slices.Compact(fingerprints)); distinct != count {
		t.Errorf("%d keys of %d are distinct", distinct, count)
	}
}
