package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
)

// metrics has a registry of its own: the default one is for everybody.
type metrics struct {
	registry *prometheus.Registry
	inFlight prometheus.Gauge
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(cfg Config) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "keyserver_requests_in_flight",
			Help: "Requests that are being served.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keyserver_requests_total",
			Help: "Requests that were served.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "keyserver_request_duration_seconds",
			Help:    "Time from a request's headers to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9), // 100 µs to 6.5 s
		}, []string{"route", "method"}),
	}
	m.registry.MustRegister(m.inFlight, m.requests, m.seconds,
		newStatsCollector(cfg),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observe(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route, method).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// A statsCollector reads the session's figures when they are asked for.
type statsCollector struct {
	session *enclave.Session
	ring    *keyring.Ring
	sources func() Sources
	figures []figure
	keys    *prometheus.Desc
	reads   *prometheus.Desc
	failing *prometheus.Desc
	backend *prometheus.Desc
}

// A figure is one of the session's.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(enclave.Stats) float64
}

func newStatsCollector(cfg Config) *statsCollector {
	c := &statsCollector{
		session: cfg.Session,
		ring:    cfg.Ring,
		sources: cfg.Sources,
		reads: prometheus.NewDesc("keyserver_versions_total",
			"New versions of keys that follow a file, and of the token, by whether they were taken.", []string{"outcome"}, nil),
		failing: prometheus.NewDesc("keyserver_sources_failing",
			"Keys that follow a file, and the token, whose newest version is not in use.", nil, nil),
		keys:    prometheus.NewDesc("keyserver_keys", "Signing keys, by type.", []string{"type"}, nil),
		backend: prometheus.NewDesc("memkeep_backend_info", "The mechanism for locked pages; always 1.", []string{"backend"}, nil),
	}
	gauge := func(name, help string, value func(enclave.Stats) int) {
		c.figures = append(c.figures, figure{prometheus.NewDesc(name, help, nil, nil),
			prometheus.GaugeValue, func(s enclave.Stats) float64 { return float64(value(s)) }})
	}
	counter := func(name, help string, value func(enclave.Stats) uint64) {
		c.figures = append(c.figures, figure{prometheus.NewDesc(name, help, nil, nil),
			prometheus.CounterValue, func(s enclave.Stats) float64 { return float64(value(s)) }})
	}
	gauge("memkeep_locked_bytes", "Bytes that are locked.", func(s enclave.Stats) int { return s.LockedBytes })
	gauge("memkeep_locked_bytes_peak", "The most bytes that were locked.", func(s enclave.Stats) int { return s.LockedBytesPeak })
	gauge("memkeep_locked_bytes_allowed", "The budget of locked bytes.", func(s enclave.Stats) int { return s.Budget })
	gauge("memkeep_open_buffers", "Buffers that are not destroyed.", func(s enclave.Stats) int { return s.OpenBuffers })
	gauge("memkeep_waiters", "Calls that wait for locked memory.", func(s enclave.Stats) int { return s.Waiters })
	counter("memkeep_seals_total", "Secrets sealed.", func(s enclave.Stats) uint64 { return s.Seals })
	counter("memkeep_opens_total", "Secrets decrypted into buffers.", func(s enclave.Stats) uint64 { return s.Opens })
	counter("memkeep_uses_total", "Secrets decrypted for one use.", func(s enclave.Stats) uint64 { return s.Uses })
	counter("memkeep_failures_total", "Secrets that did not open.", func(s enclave.Stats) uint64 { return s.Failures })
	counter("memkeep_rekeys_total", "Times the session key's shares were re-randomised.", func(s enclave.Stats) uint64 { return s.Refreshes })
	return c
}

// Describe implements prometheus.Collector.
func (c *statsCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.keys
	ch <- c.backend
	ch <- c.reads
	ch <- c.failing
	for _, f := range c.figures {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *statsCollector) Collect(ch chan<- prometheus.Metric) {
	stats := c.session.Stats()
	for _, f := range c.figures {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(stats))
	}
	ch <- prometheus.MustNewConstMetric(c.backend, prometheus.GaugeValue, 1, string(stats.Backend))
	s := c.sources()
	ch <- prometheus.MustNewConstMetric(c.reads, prometheus.CounterValue, float64(s.Versions), "taken")
	ch <- prometheus.MustNewConstMetric(c.reads, prometheus.CounterValue, float64(s.Refused), "refused")
	ch <- prometheus.MustNewConstMetric(c.failing, prometheus.GaugeValue, float64(len(s.Failing)))
	for t, n := range c.ring.Count().Keys {
		ch <- prometheus.MustNewConstMetric(c.keys, prometheus.GaugeValue, float64(n), string(t))
	}
}
