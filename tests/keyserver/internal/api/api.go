// Package api is the key server's HTTP interface.
//
//	POST   /v1/keys                 {"name","type"[,"key"]}       201, the public key for ed25519
//	GET    /v1/keys?prefix=         sorted; limit= and after=     200
//	GET    /v1/keys/{name}                                        200
//	DELETE /v1/keys/{name}                                        204
//	POST   /v1/keys/{name}/sign     {"message"}                   200, the signature
//	POST   /v1/keys/{name}/verify   {"message","signature"}       200, whether it is valid
//	GET    /healthz, /metrics
//	GET    /                        a status page for people
//
// Where the server has a token, the paths under /v1/ want it:
//
//	Authorization: Bearer TOKEN
//
// Bytes are in base64. Every error has a JSON body:
//
//	{"error":{"code":"…","message":"…"}}
//
// A key in the body of a request is read into locked memory, but it has passed
// through the connection's buffers in net/http and in the kernel before, which
// nobody wipes. Who cares loads keys from a file, or lets the server make them. A
// token in a header is on the heap in the same way, and in the client as well: it
// is worth less than a key, and can be replaced at any time.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
)

// Sources is what is known of the keys and the token that follow a file.
type Sources struct {
	Keys        int       // how many of the keys do
	Versions    uint64    // new ones that were taken
	LastVersion time.Time // when the last one was; zero for never
	Refused     uint64    // times that a new version could not be read or used
	Failing     []Failing // those whose newest version is not in use
}

// A Failing is a source whose newest version is not in use.
type Failing struct {
	Name string
	Err  error
}

// Config is what the interface works with.
type Config struct {
	Session *enclave.Session
	Ring    *keyring.Ring
	Desk    *intake.Desk
	Token   *load.Rotating // that requests under /v1/ must have; nil for none
	Sources func() Sources // of keys that follow a file; nil for none
	Hosts   []string       // allowed in the Host header, besides localhost and loopback addresses
	Log     *slog.Logger
	Harden  bool          // the process is not dumpable, and leaves no core dumps
	Timeout time.Duration // of a request's wait for locked memory
	MaxBody int64         // of requests that bring a message, in bytes
}

// An API serves the interface.
type API struct {
	Config
	mux      *http.ServeMux
	metrics  *metrics
	meter    *meter
	stranger http.Handler // answers to a Host header that is not allowed
	draining atomic.Bool
}

// New returns an API.
func New(cfg Config) *API {
	if cfg.Sources == nil {
		cfg.Sources = func() Sources { return Sources{} }
	}
	a := &API{
		Config: cfg, mux: http.NewServeMux(),
		metrics: newMetrics(cfg), meter: newMeter(time.Now(), decrypted(cfg.Session.Stats())),
	}
	a.stranger = a.route("none", nil)
	for path, methods := range map[string]map[string]endpoint{
		"/v1/keys":               {http.MethodPost: a.create, http.MethodGet: a.list},
		"/v1/keys/{name}":        {http.MethodGet: a.show, http.MethodDelete: a.remove},
		"/v1/keys/{name}/sign":   {http.MethodPost: a.sign},
		"/v1/keys/{name}/verify": {http.MethodPost: a.verify},
		"/healthz":               {http.MethodGet: a.health},
		"/{$}":                   {http.MethodGet: a.page},
		"/":                      nil,
	} {
		a.mux.Handle(path, a.route(path, methods))
	}
	a.mux.Handle("/metrics", a.metrics.handler())
	return a
}

// ServeHTTP serves one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.allowsHost(r.Host) {
		a.stranger.ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// Drain makes /healthz say that this server takes no more work, so that a load
// balancer looks elsewhere.
func (a *API) Drain() { a.draining.Store(true) }

// Registry is where the metrics are.
func (a *API) Registry() *prometheus.Registry { return a.metrics.registry }

// An endpoint answers a request with a status and what is to be its JSON body, none
// if nil, and as it is if it is html.
type endpoint func(w http.ResponseWriter, r *http.Request) (status int, body any, err error)

// bounded returns a request's context with the end of its patience for locked
// memory. The time that the client takes to send its body is not
// counted: the server's read timeout bounds that.
func (a *API) bounded(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), a.Timeout)
}

// route serves one path: it chooses the endpoint, writes its answer, and counts
// and logs it.
func (a *API) route(path string, methods map[string]endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		a.metrics.inFlight.Inc()
		defer a.metrics.inFlight.Dec()

		status, body, err := a.choose(w, r, path, methods)(w, r)
		if err != nil {
			status, body = a.refuse(w, err)
		}
		write(w, status, body)

		// A client may send any method: only known ones become a label.
		method := r.Method
		if methods[method] == nil {
			method = "other"
		}
		took := time.Since(start)
		a.metrics.observe(path, method, status, took)
		a.log(r, path, status, took, err)
	})
}

func (a *API) log(r *http.Request, path string, status int, took time.Duration, err error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("route", path),
		slog.Int("status", status),
		slog.Duration("took", took),
	}
	if name := r.PathValue("name"); name != "" {
		attrs = append(attrs, slog.String("key", name))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	a.Log.LogAttrs(r.Context(), level, "request", attrs...)
}
