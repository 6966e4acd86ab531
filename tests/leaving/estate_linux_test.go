package leaving

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/internal/testenv"
)

// A knownTenant is a tenant as the test knows it, with two versions of its secret.
type knownTenant struct {
	kind, name string
	secrets    [2][]byte           // as a file has them
	publics    [2]crypto.PublicKey // of private keys
	logsIn     bool                // by SSH
	path       string              // of its file, if that changes
}

// version returns which version of the tenant's private key a public key is of.
func (k *knownTenant) version(public crypto.PublicKey) (int, error) {
	for i, p := range k.publics {
		if p.(interface{ Equal(crypto.PublicKey) bool }).Equal(public) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s: another tenant's key", k.name)
}

// An estate is all secrets of a server, where it finds them, and what to look for in
// its memory.
type estate struct {
	t        *testing.T
	dir      string
	env      []string
	tenants  []*knownTenant
	digests  []string  // of tokens, as the API numbers them
	database *postgres // nil where PostgreSQL is not installed
	count    map[string]int
	markers  map[string][]byte   // part of all secrets of a kind
	needles  map[string][]needle // by kinds
}

// rotating is how many tenants' files change: the first ones'. The system gives a user
// 128 instances of inotify, and each takes one.
const rotating = 50

// closely is for how many tenants of a kind the scan looks for all of their secrets, and
// for what is made of them, beside the kind's marker. Their files change.
const closely = 4

// newEstate makes the secrets of n tenants, and writes them where the server looks.
func newEstate(t *testing.T, n int) *estate {
	t.Helper()
	dir, err := os.MkdirTemp("", "tenants")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &estate{t: t, dir: dir, count: map[string]int{}, markers: map[string][]byte{}, needles: map[string][]needle{}}
	for _, folder := range []string{"credentials", "files"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := map[string]any{}
	if lacking() == "" {
		e.database = startPostgres(t)
		config["database"] = e.database.dsn
	}
	for _, kind := range []string{isMAC, isEd25519, isP256, isHTTP1, isHTTP2, isRole} {
		e.addMarker(kind)
	}
	refs, rotates := map[string]string{}, []string{}
	for i := range n {
		k := e.newTenant(i)
		e.tenants = append(e.tenants, k)
		e.count[k.kind]++
		refs[k.name] = e.place(k, i)
		if k.path != "" {
			rotates = append(rotates, k.name)
		}
		if k.kind == isRole {
			e.setPassword(k, 0)
		}
	}
	var api, roots string
	if _, err := fmt.Sscan(serve(t, "api", digestEnv+"="+strings.Join(e.digests, ",")), &api, &roots); err != nil {
		t.Fatal(err)
	}
	config["api"], config["roots"], config["tenants"], config["rotates"] = api, roots, refs, rotates
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	e.write(filepath.Join(dir, "server.yaml"), text)
	if os.Getuid() == 0 {
		err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, nobody, nobody))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// kind returns the kind of a tenant's secret. Of ten tenants, two have an Ed25519 key,
// two a P-256 key, and the others a key of HMAC; but among those whose files change, and
// as many of each following 500, or 100 in the long form, one of ten has a token and one
// a password, which takes PostgreSQL some milliseconds to make and to check.
func (e *estate) kind(i int) string {
	group := 500
	if testenv.Long() {
		group = 100
	}
	switch {
	case i%10 == 4 && i%group < rotating && i/10%2 == 0:
		return isHTTP1
	case i%10 == 4 && i%group < rotating:
		return isHTTP2
	case i%10 == 5 && i%group < rotating && e.database != nil:
		return isRole
	case i%10 == 6, i%10 == 7:
		return isEd25519
	case i%10 == 8, i%10 == 9:
		return isP256
	}
	return isMAC
}

// addMarker makes the marker of a kind, and the needles in which it is.
func (e *estate) addMarker(kind string) {
	marker := text(24)
	needles := []needle{{"marker", marker}}
	switch kind {
	case isEd25519, isP256:
		marker = randomBytes(16)
		needles = []needle{{"marker", marker}, {"marker, as words", reversed(marker)}}
	case isHTTP1, isHTTP2:
		compressed := hpack.AppendHuffmanString(nil, "Bearer "+string(marker))
		// The last byte depends on what follows.
		needles = append(needles, needle{"marker as HPACK compresses it", compressed[:len(compressed)-1]})
	}
	e.markers[kind], e.needles[kind] = marker, needles
}

// newTenant makes a tenant's secrets.
func (e *estate) newTenant(i int) *knownTenant {
	kind := e.kind(i)
	marker := e.markers[kind]
	k := &knownTenant{kind: kind, name: fmt.Sprintf("%s-%d.example", kind, i), logsIn: i < rotating || i%100 < 10}
	if i == 0 {
		k.name += string(text(16)) // the control
	}
	for version := range k.secrets {
		var needles []needle
		switch kind {
		case isMAC:
			k.secrets[version] = slices.Concat(text(24), marker)
			needles = macNeedles("key", k.secrets[version])
		case isRole:
			k.secrets[version] = slices.Concat(text(16), marker)
			needles = macNeedles("password", k.secrets[version])
		case isHTTP1, isHTTP2:
			k.secrets[version] = slices.Concat(marker, text(24))
			e.digests = append(e.digests, digest("Bearer "+string(k.secrets[version])))
		default:
			needles = e.newKey(k, version)
		}
		if e.count[kind] < closely {
			for _, n := range needles {
				e.needles[kind] = append(e.needles[kind], needle{fmt.Sprintf("version %d of %s: %s", version, k.name, n.what), n.bytes})
			}
		}
	}
	return k
}

// newKey makes a tenant's private key.
func (e *estate) newKey(k *knownTenant, version int) []needle {
	secret, marker := randomBytes(16), e.markers[k.kind]
	secret[0] &= 0x7f // less than the order
	secret = append(secret, marker...)
	var private crypto.Signer = ed25519.NewKeyFromSeed(secret)
	needles := ed25519Needles
	if k.kind == isP256 {
		needles = p256Needles
		var err error
		if private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), secret); err != nil {
			e.t.Fatal(err)
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		e.t.Fatal(err)
	}
	k.publics[version] = private.Public()
	k.secrets[version] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if e.count[k.kind] == 0 && version == 0 {
		// Of the marker's base64, what does not depend on its neighbours: it is the same
		// in all files of a kind.
		at := (bytes.Index(der, marker) + 2) / 3 * 3
		e.needles[k.kind] = append(e.needles[k.kind], needle{"base64 of the marker", []byte(base64.StdEncoding.EncodeToString(der[at : at+12]))})
	}
	return needles(secret)
}

// setPassword gives a tenant's role its password.
func (e *estate) setPassword(k *knownTenant, version int) {
	e.database.setPassword(e.t, k.name, k.secrets[version])
	if k.path != "" {
		e.needles[isRole] = append(e.needles[isRole], e.database.loginNeedles(e.t, k.name, k.secrets[version])...)
	}
}

// place writes a tenant's secret to one of the places, and returns the reference.
func (e *estate) place(k *knownTenant, i int) string {
	path, secret := filepath.Join(e.dir, "files", strconv.Itoa(i)), k.secrets[0]
	switch {
	case i < rotating:
		k.path = path
		e.write(path, append(slices.Clone(secret), '\n'))
	case i%30 == 0:
		e.env = append(e.env, fmt.Sprintf("MEMKEEP_TENANT_%d=%s", i, secret))
		return fmt.Sprintf("env:MEMKEEP_TENANT_%d", i)
	case i%31 == 0:
		e.write(filepath.Join(e.dir, "credentials", k.name), secret)
		return "credential:" + k.name
	case i%2 == 0:
		e.write(path, fmt.Appendf(nil, `{"user":"x","secret":%q}`, secret))
		return "file:" + path + "#secret"
	default:
		e.write(path, append(slices.Clone(secret), '\n'))
	}
	return "file:" + path
}

// replace replaces the file of a tenant that changes.
func (e *estate) replace(k *knownTenant, version int) {
	next := k.path + ".next"
	e.write(next, k.secrets[version])
	if os.Getuid() == 0 {
		if err := os.Chown(next, nobody, nobody); err != nil {
			e.t.Fatal(err)
		}
	}
	if err := os.Rename(next, k.path); err != nil {
		e.t.Fatal(err)
	}
}

func (e *estate) write(path string, content []byte) {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		e.t.Fatal(err)
	}
}
