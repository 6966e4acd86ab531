package peers

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave/keys"
)

// A site is a name with its certificate.
type site struct {
	name string
	cert tls.Certificate
}

// template is what all certificates have in common.
func template(serial int, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(int64(serial)),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
}

// An authority signs certificates.
type authority struct {
	key  *keys.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, alg keys.Algorithm) authority {
	t.Helper()
	k := generate(t, alg)
	c := template(1, alg.String()+" authority")
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return authority{k, c}
}

// certify makes a certificate of a key, for the name.
func (a authority) certify(serial int, name string, k *keys.PrivateKey) (tls.Certificate, error) {
	c := template(serial, name)
	c.DNSNames = []string{name}
	c.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, k.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k, Leaf: leaf}, err
}

// authorities are one of each algorithm, and a file with their certificates.
func authorities(t *testing.T, dir folder) (all []authority, file string, roots *x509.CertPool) {
	t.Helper()
	var text []byte
	roots = x509.NewCertPool()
	for _, alg := range signing {
		a := newAuthority(t, alg)
		all = append(all, a)
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
		roots.AddCert(a.cert)
	}
	return all, dir.write(t, "roots.pem", text), roots
}

// newSites makes sites whose keys and issuers are of each algorithm in turn. Making
// an RSA key takes long: some are used again and again.
func newSites(t *testing.T, count int, issuers []authority) []site {
	t.Helper()
	sites := make([]site, count)
	var rsa []*keys.PrivateKey
	for i := range sites {
		alg := signing[i%len(signing)]
		var k *keys.PrivateKey
		switch {
		case alg != keys.RSA2048:
			k = generate(t, alg)
		case len(rsa) < 4:
			k = generate(t, alg)
			rsa = append(rsa, k)
		default:
			k = rsa[i/len(signing)%len(rsa)]
		}
		name := fmt.Sprintf("site%d.test", i)
		// All sixteen pairs of algorithms come up.
		cert, err := issuers[i/len(signing)%len(issuers)].certify(i+2, name, k)
		if err != nil {
			t.Fatal(err)
		}
		sites[i] = site{name, cert}
	}
	return sites
}

// serve has an HTTPS server answer with the name that it was asked for, and returns
// its address.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.TLS.ServerName) // a client that left is no error here
		}),
		TLSConfig: config,
		ErrorLog:  log.New(io.Discard, "", 0),
		// HTTP/2 refuses old cipher suites.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// byName returns the configuration of a server that has the sites.
func byName(sites []site) *tls.Config {
	certs := map[string]*tls.Certificate{}
	for i := range sites {
		certs[sites[i].name] = &sites[i].cert
	}
	return &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if cert := certs[hello.ServerName]; cert != nil {
			return cert, nil
		}
		return nil, fmt.Errorf("no site %q", hello.ServerName)
	}}
}

// each runs fn for every n-th site, several at once.
func each(sites []site, n int, fn func(i int, s site)) {
	var group sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := 0; i < len(sites); i += n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			fn(i, sites[i])
		})
	}
	group.Wait()
}

func TestThousandCertificatesServeEveryTLSClient(t *testing.T) {
	if !alone(t, "openssl", "curl") {
		return
	}
	dir := newFolder(t)
	issuers, rootFile, roots := authorities(t, dir)
	sites := newSites(t, scaled(1000, 300, 32), issuers)
	addr := serve(t, byName(sites))
	versions := []uint16{tls.VersionTLS12, tls.VersionTLS13}

	each(sites, 1, func(i int, s site) {
		// 5 and the four algorithms have no common divisor.
		version := versions[i%5%2]
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, ServerName: s.name, MinVersion: version, MaxVersion: version})
		if err != nil {
			t.Errorf("crypto/tls, %s: %v", s.name, err)
			return
		}
		if leaf := conn.ConnectionState().PeerCertificates[0]; !leaf.Equal(s.cert.Leaf) {
			t.Errorf("crypto/tls, %s: the certificate of %s", s.name, leaf.Subject)
		}
		if err := conn.Close(); err != nil {
			t.Errorf("crypto/tls, %s: %v", s.name, err)
		}
	})

	// An odd step meets all algorithms.
	step := scaled(15, 25, 5)
	each(sites, step, func(i int, s site) {
		version := []string{"-tls1_2", "-tls1_3"}[i/len(signing)%2]
		out, err := try(t, nil, "openssl", "s_client", "-connect", addr, "-servername", s.name, version, "-brief",
			"-CAfile", rootFile, "-verify_return_error", "-verify_hostname", s.name)
		if err != nil || !strings.Contains(out, "Verification: OK") {
			t.Errorf("openssl, %s, %s: %v\n%s", version, s.name, err, out)
		}
	})
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	each(sites, scaled(49, 49, 7), func(_ int, s site) {
		host := s.name + ":" + port
		out, err := try(t, nil, "curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", rootFile,
			"--resolve", host+":127.0.0.1", "https://"+host+"/")
		if err != nil || out != s.name {
			t.Errorf("curl, %s: %v, %q", s.name, err, out)
		}
	})

	// The control: a client that trusts nobody fails.
	empty := newAuthority(t, keys.Ed25519)
	other := dir.write(t, "other.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: empty.cert.Raw}))
	if out, err := try(t, nil, "openssl", "s_client", "-connect", addr, "-servername", sites[0].name, "-brief",
		"-CAfile", other, "-verify_return_error"); err == nil {
		t.Errorf("openssl trusts an unknown authority:\n%s", out)
	}
	checkLimit(t)
}

// What openssl makes for a server is loaded as it is.
func TestFilesOfOpenSSLServeTLS(t *testing.T) {
	if !alone(t, "openssl", "curl") {
		return
	}
	dir := newFolder(t)
	certFile, keyFile := dir.path("cert.pem"), dir.path("key.pem")
	for _, kind := range [][]string{{"ed25519"}, {"rsa:2048"}, {"ec", "-pkeyopt", "ec_paramgen_curve:P-256"}} {
		run(t, nil, "openssl", append([]string{"req", "-x509", "-nodes", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
			"-days", "2", "-out", certFile, "-keyout", keyFile, "-newkey"}, kind...)...)
		cert, err := keys.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Errorf("%s: %v", kind[0], err)
			continue
		}
		addr := serve(t, &tls.Config{Certificates: []tls.Certificate{cert}})
		out, err := try(t, nil, "curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", certFile, "--write-out", "%{http_code}", "https://"+addr+"/")
		if err != nil || out != "200" {
			t.Errorf("curl, %s: %v, %s", kind[0], err, out)
		}
	}
	checkLimit(t)
}

func TestOpenSSLVerifiesCertificateRequests(t *testing.T) {
	if !alone(t, "openssl") {
		return
	}
	for _, alg := range signing {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "test"}}, generate(t, alg))
		if err != nil {
			t.Fatal(err)
		}
		check := func(der []byte) error {
			out, err := try(t, der, "openssl", "req", "-inform", "DER", "-verify", "-noout")
			if err == nil && !strings.Contains(out, "verify OK") {
				err = errors.New(out)
			}
			return err
		}
		if err := check(der); err != nil {
			t.Errorf("%v: %v", alg, err)
		}
		der[len(der)-1] ^= 1
		if check(der) == nil {
			t.Errorf("%v: a changed signature is right", alg)
		}
	}
	checkLimit(t)
}

// The key exchange of old clients, in which the server decrypts.
func TestRSAKeyExchangeOfTLS12(t *testing.T) {
	if !alone(t, "openssl") {
		return
	}
	dir := newFolder(t)
	a := newAuthority(t, keys.ECDSAP256)
	rootFile := dir.write(t, "roots.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
	k := generate(t, keys.RSA2048)
	cert, err := a.certify(2, "rsa.test", k)
	if err != nil {
		t.Fatal(err)
	}
	decrypter, err := k.Decrypter()
	if err != nil {
		t.Fatal(err)
	}
	suites := []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	for _, c := range []struct {
		what    string
		key     any
		decrypt bool
	}{
		{"a Decrypter", decrypter, true},
		{"a PrivateKey", k, false}, // it only signs
	} {
		cert.PrivateKey = c.key
		addr := serve(t, &tls.Config{Certificates: []tls.Certificate{cert}, CipherSuites: suites, MaxVersion: tls.VersionTLS12})
		out, err := try(t, nil, "openssl", "s_client", "-connect", addr, "-servername", "rsa.test", "-tls1_2", "-brief",
			"-cipher", "AES128-GCM-SHA256", "-CAfile", rootFile, "-verify_return_error")
		if done := err == nil && strings.Contains(out, "Ciphersuite: AES128-GCM-SHA256"); done != c.decrypt {
			t.Errorf("%s: %v\n%s", c.what, err, out)
		}
	}
	checkLimit(t)
}

// A server of openssl's demands certificates, and verifies what they sign.
func TestClientCertificatesSatisfyOpenSSL(t *testing.T) {
	if !alone(t, "openssl") {
		return
	}
	dir := newFolder(t)
	issuers, rootFile, roots := authorities(t, dir)
	// openssl needs a key of its own.
	server := dir.path("server.pem")
	run(t, nil, "openssl", "genpkey", "-algorithm", "ed25519", "-out", server)
	serverKey, err := keys.Parse(dir.read(t, "server.pem"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := issuers[0].certify(2, "server.test", serverKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile := dir.write(t, "server.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
	addr := startServer(t, "-key", server, "-cert", certFile, "-CAfile", rootFile, "-Verify", "1", "-verify_return_error", "-rev")

	client := func(version uint16, certs ...tls.Certificate) error {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, ServerName: "server.test", Certificates: certs, MinVersion: version, MaxVersion: version})
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		// In TLS 1.3 the client ends first: what it reads says if it is let in.
		if _, err := io.WriteString(conn, "peek\n"); err != nil {
			return err
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "keep\n" {
			return fmt.Errorf("read %q: %w", line, err)
		}
		return nil
	}
	for i, alg := range signing {
		c, err := issuers[i].certify(3, "client", generate(t, alg))
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if err := client(version, c); err != nil {
				t.Errorf("%v, %s: %v", alg, tls.VersionName(version), err)
			}
		}
	}
	if client(tls.VersionTLS13) == nil {
		t.Error("no certificate is one")
	}
	checkLimit(t)
}

// startServer starts openssl s_server on a port that the system chooses, and returns
// its address.
func startServer(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(command("openssl"), append([]string{"s_server", "-accept", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(addr)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if a, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
				addr <- a
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // it ends with the server
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-read
		_ = cmd.Wait() // it was killed
	})
	select {
	case a, ok := <-addr:
		if !ok {
			t.Fatal("openssl s_server does not start")
		}
		return a
	case <-time.After(patience):
		t.Fatal("openssl s_server does not say where it listens")
	}
	return ""
}
