package enclaveprom_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/enclaveprom"
	"github.com/memkeep/memkeep/internal/testenv"
)

func newSession(t *testing.T) *enclave.Session {
	t.Helper()
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: 8 * os.Getpagesize(), AllowUnlocked: testenv.AllowUnlocked})
	var limit *enclave.LimitError
	if errors.Is(err, enclave.ErrUnsupported) || errors.As(err, &limit) {
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestNamesAndUnitsAreAsPrometheusAsks(t *testing.T) {
	problems, err := testutil.CollectAndLint(enclaveprom.NewCollector(newSession(t), nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestFiguresAreTheSessions(t *testing.T) {
	s := newSession(t)
	c := enclaveprom.NewCollector(s, prometheus.Labels{"session": "tenants"})
	for range 3 {
		e, err := s.NewRandom(32)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Use(func([]byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	b, err := s.NewBuffer(16)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Destroy()
	stats := s.Stats()
	var want strings.Builder
	for _, m := range []struct {
		name, kind, help string
		value            any
	}{
		{"memkeep_locked_bytes", "gauge", "Bytes of memory that are locked.", stats.LockedBytes},
		{"memkeep_budget_bytes", "gauge", "The most bytes that may be locked.", stats.Budget},
		{"memkeep_open_buffers", "gauge", "Buffers that are not destroyed yet.", 1},
		{"memkeep_seals_total", "counter", "Secrets that were sealed.", 3},
		{"memkeep_uses_total", "counter", "Secrets that were decrypted by Use, UseAll and Equal, failures included.", 3},
		{"memkeep_decrypt_failures_total", "counter", "Opens and uses whose ciphertext did not open.", 0},
	} {
		fmt.Fprintf(&want, "# HELP %s %s\n# TYPE %s %s\n%s{session=\"tenants\"} %v\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
	fmt.Fprintf(&want, "# HELP memkeep_session_info How the session protects its pages; always 1.\n# TYPE memkeep_session_info gauge\n"+
		"memkeep_session_info{backend=%q,runtime_secret=\"%v\",session=\"tenants\"} 1\n", stats.Backend, stats.RuntimeSecret)
	err = testutil.CollectAndCompare(c, strings.NewReader(want.String()), "memkeep_locked_bytes", "memkeep_budget_bytes",
		"memkeep_open_buffers", "memkeep_seals_total", "memkeep_uses_total", "memkeep_decrypt_failures_total", "memkeep_session_info")
	if err != nil {
		t.Error(err)
	}
}

// A figure that is added to Stats must not be forgotten here.
func TestEachFigureIsExported(t *testing.T) {
	const notExported = 1 // BackendReason: prose is no label
	const inInfo = 2      // Backend and RuntimeSecret
	figures := reflect.TypeFor[enclave.Stats]().NumField() - notExported - inInfo
	if n := testutil.CollectAndCount(enclaveprom.NewCollector(newSession(t), nil)); n != figures+1 {
		t.Errorf("%d metrics for %d figures and the info", n, figures)
	}
}

func TestSessionsAreToldApartByLabels(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	for _, name := range []string{"a", "b"} {
		if err := r.Register(enclaveprom.NewCollector(new(enclave.Session), prometheus.Labels{"session": name})); err != nil {
			t.Fatal(err)
		}
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if len(f.Metric) != 2 {
			t.Errorf("%s: %d metrics", f.GetName(), len(f.Metric))
		}
	}
}

func ExampleNewCollector() {
	registry := prometheus.NewRegistry()
	if err := registry.Register(enclaveprom.NewCollector(enclave.Default(), nil)); err != nil {
		log.Fatal(err)
	}
	// http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(families[0].GetName())
	// Output: memkeep_budget_bytes
}
