package loading

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// A file with a certificate and its key, as many servers have it.
func TestAKeyInAPEMFileSigns(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, testenv.SmallLimit())
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit()})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{edKey, ecKey} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
			pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
		path := filepath.Join(testenv.TempDir(t), "tls.pem")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		l := load.Loader{Session: session}
		file, err := l.File(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		block, err := l.PEM(t.Context(), file, "PRIVATE KEY")
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := keys.In(session).FromEnclave(block)
		if err != nil {
			t.Fatal(err)
		}
		defer loaded.Destroy()
		digest := sha256.Sum256([]byte("message"))
		switch public := key.Public().(type) {
		case ed25519.PublicKey:
			sig, err := loaded.Sign(nil, digest[:], crypto.Hash(0))
			if err != nil || !ed25519.Verify(public, digest[:], sig) {
				t.Errorf("%v", err)
			}
		case *ecdsa.PublicKey:
			sig, err := loaded.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil || !ecdsa.VerifyASN1(public, digest[:], sig) {
				t.Errorf("%v", err)
			}
		}
	}
}
