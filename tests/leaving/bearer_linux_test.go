package leaving

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/memkeep/memkeep/enclave/bearer"
)

// servers are the children that are no user of a secret.
var servers = map[string]func() error{"api": serveAPI}

// digestEnv has the digests of the headers that the API takes, with commas between.
const digestEnv = "MEMKEEP_LEAVING_DIGEST"

// numberHeader is the number of the digest.
const numberHeader = "X-Number"

// serveAPI is an HTTP server, of both versions, that wants a token.
func serveAPI() error {
	want := strings.Split(os.Getenv(digestEnv), ",")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := slices.Index(want, digest(r.Header.Get("Authorization")))
		if number < 0 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set(numberHeader, strconv.Itoa(number))
		_, _ = io.WriteString(w, r.Proto) // a client that left is no error here
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	fmt.Printf("%s %x\n", server.Listener.Addr(), server.Certificate().Raw)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// digest of what an Authorization header says.
func digest(header string) string {
	d := sha256.Sum256([]byte(header))
	return hex.EncodeToString(d[:])
}

func bearerSubject(name, proto string, keepAlive bool, most row, least map[string]int) *subject {
	return &subject{
		name: name,
		make: func(*testing.T) ([]byte, []needle) {
			token := text(48)
			return token, []needle{
				{"token", token},
				{"token as HPACK compresses it", hpack.AppendHuffmanString(nil, "Bearer "+string(token))},
			}
		},
		peer: func(t *testing.T) func([]byte) (string, []needle) {
			return func(secret []byte) (string, []needle) {
				return serve(t, "api", digestEnv+"="+digest("Bearer "+string(secret))), nil
			}
		},
		run:     func(u *user) error { return u.request(proto, keepAlive) },
		most:    most,
		cleared: true,
		least:   least,
	}
}

// request sends requests with the token, from several goroutines.
func (u *user) request(proto string, keepAlive bool) error {
	var host, certificate string
	if _, err := fmt.Sscan(u.address, &host, &certificate); err != nil {
		return err
	}
	der, err := hex.DecodeString(certificate)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	base := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: proto == "HTTP/2.0",
		DisableKeepAlives: !keepAlive, MaxIdleConnsPerHost: callers, MaxConnsPerHost: callers}
	var transport http.RoundTripper = &setsHeader{u, base}
	if u.way == recommended {
		if transport, err = bearer.New(u.secret, bearer.Config{Host: host, Base: base}); err != nil {
			return err
		}
	}
	client := &http.Client{Transport: transport}
	u.keeping = client
	return inParallel(u.operations, func(int) error {
		resp, err := client.Get("https://" + host)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		if string(body) != proto {
			return fmt.Errorf("%s: %q, want %s", resp.Status, body, proto)
		}
		return nil
	})
}

// setsHeader is the RoundTripper that programs write.
type setsHeader struct {
	u    *user
	base http.RoundTripper
}

func (s *setsHeader) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	err := s.u.with(func(secret []byte) error {
		req.Header.Set("Authorization", "Bearer "+string(secret))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.base.RoundTrip(req)
}

// callers is how many goroutines a test or a child works in.
const callers = 4

// inParallel calls f n times in all.
func inParallel(n int, f func(i int) error) error {
	errs := make([]error, callers)
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			for i := c; i < n && errs[c] == nil; i += callers {
				errs[c] = f(i)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
