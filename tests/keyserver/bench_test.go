package main

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// BenchmarkHTTP signs over HTTP: client and server share the machine.
func BenchmarkHTTP(b *testing.B) {
	server := start(b, spec{args: []string{"-keys", "1000"}, memlock: strconv.Itoa(testenv.SmallLimit())})
	c := server.client()
	for name, path := range map[string]string{
		"ed25519":     "/v1/keys/key-000000/sign",
		"hmac-sha256": "/v1/keys/key-000001/sign",
		"nothing":     "/healthz",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					method, body := "POST", messageBody([]byte("message"))
					if name == "nothing" {
						method, body = "GET", ""
					}
					if _, err := c.expect(http.StatusOK, method, path, body); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
}
