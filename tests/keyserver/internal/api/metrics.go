package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/memkeep/memkeep/enclave/enclaveprom"
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
		enclaveprom.NewCollector(cfg.Session, nil), newCollector(cfg),
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

// A collector reads the figures of keys and sources when they are asked for.
type collector struct {
	ring     *keyring.Ring
	sources  func() Sources
	keys     *prometheus.Desc
	versions *prometheus.Desc
	failing  *prometheus.Desc
}

func newCollector(cfg Config) *collector {
	return &collector{
		ring:    cfg.Ring,
		sources: cfg.Sources,
		keys:    prometheus.NewDesc("keyserver_keys", "Signing keys, by type.", []string{"type"}, nil),
		versions: prometheus.NewDesc("keyserver_versions_total",
			"New versions of keys that follow a file, and of the token, by whether they were taken.", []string{"outcome"}, nil),
		failing: prometheus.NewDesc("keyserver_sources_failing",
			"Keys that follow a file, and the token, whose newest version is not in use.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.keys
	ch <- c.versions
	ch <- c.failing
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.sources()
	ch <- prometheus.MustNewConstMetric(c.versions, prometheus.CounterValue, float64(s.Versions), "taken")
	ch <- prometheus.MustNewConstMetric(c.versions, prometheus.CounterValue, float64(s.Refused), "refused")
	ch <- prometheus.MustNewConstMetric(c.failing, prometheus.GaugeValue, float64(len(s.Failing)))
	for t, n := range c.ring.Count().Keys {
		ch <- prometheus.MustNewConstMetric(c.keys, prometheus.GaugeValue, float64(n), string(t))
	}
}
