package rsa

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// A group is Wycheproof's vectors for one key.
type group struct {
	Source string
	Key    text // PKCS #8
	SHA    string
	MGFSHA string
	Tests  []vector
}

type vector struct {
	ID      int `json:"tcId"`
	Comment string
	Msg     text
	Ct      text
	Label   text
	Sig     text
	Result  string
}

// A text is bytes in hexadecimal.
type text []byte

func (b *text) UnmarshalText(digits []byte) (err error) {
	*b, err = hex.DecodeString(string(digits))
	return err
}

var hashNames = map[string]crypto.Hash{
	"SHA-1": crypto.SHA1, "SHA-224": crypto.SHA224, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512,
	"SHA-512/224": crypto.SHA512_224, "SHA-512/256": crypto.SHA512_256,
	"SHA3-224": crypto.SHA3_224, "SHA3-256": crypto.SHA3_256, "SHA3-384": crypto.SHA3_384, "SHA3-512": crypto.SHA3_512,
}

// wycheproof runs the test with each vector of a file.
func wycheproof(t *testing.T, name string, test func(encoding []byte, g group, v vector, s *Scratch)) {
	t.Helper()
	content, err := os.ReadFile("../testdata/wycheproof/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var groups []group
	if err := json.Unmarshal(content, &groups); err != nil || len(groups) == 0 {
		t.Fatal(len(groups), err)
	}
	s := newScratch(t)
	next := testenv.Sampled(10)
	for _, g := range groups {
		key, err := x509.ParsePKCS8PrivateKey(g.Key)
		if err != nil {
			t.Fatalf("%s: %v", g.Source, err)
		}
		var encoding []byte // which takes as long as many vectors
		for _, v := range g.Tests {
			if !next() {
				continue
			}
			if encoding == nil {
				encoding = flat(t, key.(*rsa.PrivateKey), s)
			}
			test(encoding, g, v, s)
		}
	}
}

// checkDecrypted compares what a vector decrypted to.
func checkDecrypted(t *testing.T, g group, v vector, got []byte, err error) {
	t.Helper()
	if v.Result == "invalid" {
		if err != ErrDecryption {
			t.Errorf("%s, %d, %s: %x, %v", g.Source, v.ID, v.Comment, got, err)
		}
	} else if err != nil || !bytes.Equal(got, v.Msg) {
		t.Errorf("%s, %d, %s: %x, %v, want %x", g.Source, v.ID, v.Comment, got, err, v.Msg)
	}
}

func TestWycheproofOAEP(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rsa_oaep.json", "rsa_oaep_misc.json"} {
		wycheproof(t, name, func(encoding []byte, g group, v vector, s *Scratch) {
			dst := make([]byte, 512)
			n, err := DecryptOAEP(dst, encoding, hashNames[g.SHA], hashNames[g.MGFSHA], v.Ct, v.Label, s)
			checkDecrypted(t, g, v, dst[:n], err)
		})
	}
}

func TestWycheproofPKCS1v15(t *testing.T) {
	t.Parallel()
	wycheproof(t, "rsa_pkcs1.json", func(encoding []byte, g group, v vector, s *Scratch) {
		dst := make([]byte, 512)
		n, err := DecryptPKCS1v15(dst, encoding, v.Ct, s)
		checkDecrypted(t, g, v, dst[:n], err)

		session := bytes.Repeat([]byte{0xee}, len(v.Msg))
		want := bytes.Clone(session)
		if v.Result != "invalid" {
			want = v.Msg
		}
		err = DecryptPKCS1v15SessionKey(session, encoding, v.Ct, s)
		if len(v.Ct) != len(encoding)/7*2 {
			if err != ErrDecryption {
				t.Errorf("%s, %d, %s, session key: %v", g.Source, v.ID, v.Comment, err)
			}
		} else if !bytes.Equal(session, want) {
			t.Errorf("%s, %d, %s, session key: %x, %v, want %x", g.Source, v.ID, v.Comment, session, err, want)
		}
	})
}

func TestWycheproofSignatures(t *testing.T) {
	t.Parallel()
	wycheproof(t, "rsa_signature.json", func(encoding []byte, g group, v vector, s *Scratch) {
		function := hashNames[g.SHA]
		h := function.New()
		h.Write(v.Msg)
		got, err := SignPKCS1v15(nil, encoding, function, h.Sum(nil), s)
		if err != nil || !bytes.Equal(got, v.Sig) {
			t.Errorf("%s, %d, %s: %x, %v, want %x", g.Source, v.ID, v.Comment, got, err, v.Sig)
		}
	})
}
