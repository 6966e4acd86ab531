// Package enclaveprom exports the statistics of an [enclave.Session] to Prometheus.
//
//	registry.MustRegister(enclaveprom.NewCollector(enclave.Default(), nil))
//
// It is a module of its own, so that the library itself requires no client. For
// OpenTelemetry, use the Prometheus receiver of its collector.
//
// Alert on memkeep_decrypt_failures_total, which grows when a ciphertext was modified,
// on memkeep_open_buffers, whose steady growth indicates a leak, and on
// memkeep_unlocked, which is 1 if secrets lie in memory that may be swapped out.
package enclaveprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/memkeep/memkeep/enclave"
)

// A collector reads the session's statistics for each scrape.
type collector struct {
	session *enclave.Session
	figures []figure
	info    *prometheus.Desc
}

// A figure is a field of enclave.Stats.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(enclave.Stats) float64
}

// NewCollector returns a collector for the session. All its metrics have the labels, which
// tell several sessions of a program apart. Collecting does not create a session that was
// not used yet. After the session is closed, the metrics keep their last values.
func NewCollector(session *enclave.Session, labels prometheus.Labels) prometheus.Collector {
	c := &collector{
		session: session,
		info: prometheus.NewDesc("memkeep_session_info", "How the session protects its pages; always 1.",
			[]string{"backend", "runtime_secret"}, labels),
	}
	add := func(kind prometheus.ValueType, name, help string, value func(enclave.Stats) float64) {
		c.figures = append(c.figures, figure{prometheus.NewDesc(name, help, nil, labels), kind, value})
	}
	gauge := func(name, help string, value func(enclave.Stats) int) {
		add(prometheus.GaugeValue, name, help, func(s enclave.Stats) float64 { return float64(value(s)) })
	}
	counter := func(name, help string, value func(enclave.Stats) uint64) {
		add(prometheus.CounterValue, name, help, func(s enclave.Stats) float64 { return float64(value(s)) })
	}
	gauge("memkeep_locked_bytes", "Bytes of memory that are locked.",
		func(s enclave.Stats) int { return s.LockedBytes })
	gauge("memkeep_locked_peak_bytes", "The most bytes that were locked at once.",
		func(s enclave.Stats) int { return s.LockedBytesPeak })
	gauge("memkeep_budget_bytes", "The most bytes that may be locked.",
		func(s enclave.Stats) int { return s.Budget })
	gauge("memkeep_budget_cut", "1 if the process's limit is smaller than the budget that was asked for.",
		func(s enclave.Stats) int { return oneIf(s.BudgetCut) })
	gauge("memkeep_largest_secret_bytes", "Bytes of the largest secret that the budget can hold.",
		func(s enclave.Stats) int { return s.LargestSecret })
	gauge("memkeep_unlocked", "1 if the pages are not locked, as Config.AllowUnlocked permits.",
		func(s enclave.Stats) int { return oneIf(s.Unlocked) })
	gauge("memkeep_dumpable_bytes", "Bytes that a core dump may hold, where the system can't leave them out.",
		func(s enclave.Stats) int { return s.DumpableBytes })
	gauge("memkeep_lock_failed", "1 if the system ever refused to lock memory.",
		func(s enclave.Stats) int { return oneIf(s.LastLimitError != nil) })
	gauge("memkeep_open_buffers", "Buffers that are not destroyed yet.",
		func(s enclave.Stats) int { return s.OpenBuffers })
	gauge("memkeep_waiters", "Calls that wait for locked memory.",
		func(s enclave.Stats) int { return s.Waiters })
	counter("memkeep_seals_total", "Secrets that were sealed.",
		func(s enclave.Stats) uint64 { return s.Seals })
	counter("memkeep_opens_total", "Secrets that were decrypted by Open, OpenInto and enclave/keys, failures included.",
		func(s enclave.Stats) uint64 { return s.Opens })
	counter("memkeep_uses_total", "Secrets that were decrypted by Use, UseAll and Equal, failures included.",
		func(s enclave.Stats) uint64 { return s.Uses })
	counter("memkeep_decrypt_failures_total", "Opens and uses whose ciphertext did not open.",
		func(s enclave.Stats) uint64 { return s.Failures })
	counter("memkeep_key_refreshes_total", "Times that the shares of the session key were refreshed.",
		func(s enclave.Stats) uint64 { return s.Refreshes })
	return c
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.info
	for _, f := range c.figures {
		ch <- f.desc
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.session.Stats()
	for _, f := range c.figures {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(s))
	}
	runtimeSecret := "false"
	if s.RuntimeSecret {
		runtimeSecret = "true"
	}
	ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1, string(s.Backend), runtimeSecret)
}
