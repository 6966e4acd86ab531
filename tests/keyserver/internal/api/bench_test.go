package api

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
)

// BenchmarkSign signs with 1,000 keys of each type over HTTP, beside a plain server:
// the same handlers with the standard library's keys on the heap. Client and servers
// share the machine. Short rounds of both take turns, so that what else the machine
// does slows both: plain-ratio is the median of this server's signatures a second by
// the plain one's.
func BenchmarkSign(b *testing.B) {
	session, err := enclave.NewSession(enclave.Config{})
	if err != nil {
		b.Skip(err)
	}
	defer session.Close()
	a := New(Config{
		Session: session, Ring: keyring.New(session), Log: slog.New(slog.DiscardHandler),
		Timeout: time.Minute, MaxBody: 1 << 20,
	})
	const count = 1000
	plain := map[string]func(context.Context, []byte) ([]byte, error){}
	for i := range count {
		seed := sha256.Sum256(fmt.Append(nil, i))
		private, key := ed25519.NewKeyFromSeed(seed[:]), seed
		plain[fmt.Sprint("ed25519-", i)] = func(_ context.Context, message []byte) ([]byte, error) {
			return ed25519.Sign(private, message), nil
		}
		plain[fmt.Sprint("hmac-sha256-", i)] = func(_ context.Context, message []byte) ([]byte, error) {
			h := hmac.New(sha256.New, key[:])
			h.Write(message)
			return h.Sum(nil), nil
		}
		for _, t := range []keyring.Type{keyring.Ed25519, keyring.HMACSHA256} {
			raw := append([]byte(nil), seed[:]...)
			record := intake.Record{Name: fmt.Sprintf("%s-%d", t, i), Type: string(t), HasKey: true, Key: raw}
			if _, err := a.Ring.Create(context.Background(), record, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	a.mux.Handle("/plain/{name}/sign", a.route("/plain/{name}/sign", map[string]endpoint{
		http.MethodPost: func(w http.ResponseWriter, r *http.Request) (int, any, error) {
			return a.signWith(w, r, plain[r.PathValue("name")])
		},
	}))
	server := httptest.NewServer(a)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	defer client.CloseIdleConnections()

	for _, t := range []keyring.Type{keyring.Ed25519, keyring.HMACSHA256} {
		b.Run(string(t), func(b *testing.B) {
			const round = 500
			var ratios []float64
			var ours time.Duration
			for i := range b.N {
				took := map[string]time.Duration{}
				paths := []string{"/plain/", "/v1/keys/"}
				if i%2 == 1 {
					slices.Reverse(paths)
				}
				for _, path := range paths {
					start := time.Now()
					signRound(b, client, server.URL+path+string(t), round, count)
					took[path] = time.Since(start)
				}
				ours += took["/v1/keys/"]
				ratios = append(ratios, took["/plain/"].Seconds()/took["/v1/keys/"].Seconds())
			}
			slices.Sort(ratios)
			b.ReportMetric(float64(b.N*round)/ours.Seconds(), "signatures/s")
			b.ReportMetric(ratios[len(ratios)/2], "plain-ratio")
		})
	}
}

// signRound signs so many times from 32 clients.
func signRound(b *testing.B, client *http.Client, base string, times, count int) {
	const clients = 32
	failed := make(chan error, clients)
	for c := range clients {
		go func() {
			for i := c; i < times; i += clients {
				response, err := client.Post(fmt.Sprintf("%s-%d/sign", base, i%count), "application/json",
					strings.NewReader(`{"message":"bWVzc2FnZQ=="}`))
				if err == nil && response.StatusCode != http.StatusOK {
					err = fmt.Errorf("status %d", response.StatusCode)
				}
				if err == nil {
					// Read to its end, so that the connection is used again.
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				if err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range clients {
		if err := <-failed; err != nil {
			b.Error(err)
		}
	}
}
