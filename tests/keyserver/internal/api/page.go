package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
	"github.com/memkeep/memkeep/tests/keyserver/internal/format"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
	"github.com/memkeep/memkeep/tests/keyserver/internal/procmem"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// An html is the body of an answer that is not JSON.
type html []byte

// A row is a line of the page.
type row struct{ What, Value string }

// A view is what the page shows.
type view struct {
	Draining    bool
	Uptime      time.Duration
	PID         int
	LockedBytes int
	Budget      int
	Keys        []row
	Memory      []row
	Work        []row
	LimitError  string // the last one; empty for none
	Remedy      string
	Protections []row
	Unlocked    string // why nothing is locked; empty if the pages are
	Failing     []row  // keys whose newest version is not in use, and why
}

// page shows an operator how the server is.
func (a *API) page(w http.ResponseWriter, _ *http.Request) (int, any, error) {
	body, err := a.view().render()
	if err != nil {
		return 0, nil, err
	}
	// There is no script on the page, and nobody may add one or frame it.
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	return http.StatusOK, body, nil
}

func (v view) render() (html, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("the status page: %w", err)
	}
	return b.Bytes(), nil
}

func (a *API) view() view {
	stats, count, usage, now := a.Session.Stats(), a.Ring.Count(), procmem.Read(), time.Now()
	uses := decrypted(stats)
	recent := a.meter.read(now, uses)
	uptime := now.Sub(a.meter.start)
	v := view{
		Draining:    a.draining.Load(),
		Uptime:      uptime.Round(time.Second),
		PID:         os.Getpid(),
		LockedBytes: stats.LockedBytes,
		Budget:      stats.Budget,
		Keys: []row{
			{"secrets", format.Number(count.Total)},
			{"Ed25519 keys", format.Number(count.Keys[keyring.Ed25519])},
			{"HMAC-SHA-256 keys", format.Number(count.Keys[keyring.HMACSHA256])},
		},
		Memory: []row{
			{"locked bytes", fmt.Sprintf("%s of a budget of %s", format.Number(stats.LockedBytes), format.Number(stats.Budget))},
			{"most locked bytes so far", format.Number(stats.LockedBytesPeak)},
			{"locked, as the system counts it", procmem.String(usage.Locked)},
			{"mapped memfd_secret pages", procmem.String(usage.Secret)},
			{"resident", procmem.String(usage.Resident)},
			{"in swap", procmem.String(usage.Swapped)},
			{"open buffers", format.Number(stats.OpenBuffers)},
		},
		Work: []row{
			{"uses a second", recent.String()},
			{"uses since the start", fmt.Sprint(uses)},
			{"calls waiting for locked memory", format.Number(stats.Waiters)},
			{"secrets that did not decrypt", fmt.Sprint(stats.Failures)},
			{"refreshes of the key's shares", fmt.Sprint(stats.Refreshes)},
		},
		Protections: a.protections(stats),
	}
	if stats.Unlocked {
		v.Unlocked = stats.BackendReason
	}
	v.Keys = append(v.Keys, a.sources(&v, now)...)
	if e := stats.LastLimitError; e != nil {
		v.LimitError, v.Remedy = e.Error(), e.Remedy()
	}
	return v
}

// sources says how the keys are that follow a file.
func (a *API) sources(v *view, now time.Time) []row {
	s := a.Sources()
	for _, f := range s.Failing {
		v.Failing = append(v.Failing, row{f.Name, f.Err.Error()})
	}
	last := ""
	if !s.LastVersion.IsZero() {
		last = fmt.Sprintf(", the last one %v ago", now.Sub(s.LastVersion).Round(time.Second))
	}
	return []row{
		{"keys that follow a file", format.Number(s.Keys)},
		{"new versions taken", fmt.Sprint(s.Versions) + last},
		{"new versions refused", fmt.Sprint(s.Refused)},
	}
}

// decrypted returns how many secrets were decrypted so far: by Use, or into memory
// of the caller's, as enclave/keys does for each operation.
func decrypted(s enclave.Stats) uint64 { return s.Uses + s.Opens }

// protections says what keeps this process's secrets to itself.
func (a *API) protections(stats enclave.Stats) []row {
	limits, err := locked.CurrentLimits()
	if err != nil {
		return []row{{"limits", err.Error()}}
	}
	reading := "other processes that may trace this one can read open secrets"
	if stats.Backend == locked.MemfdSecret {
		reading = "no other process can read open secrets, not even root's"
	}
	hardened := "as the system has it: -harden rules them out"
	if a.Harden {
		hardened = "none is written, and only root can trace this process"
	}
	rows := []row{
		{"locked pages", string(stats.Backend)},
		{"reading from outside", reading},
		{"core dumps and tracing", hardened},
		{"secrets in core dumps", orNone(limits.DumpExclusion, "left out by ")},
		{"bytes that a core dump may hold", format.Number(stats.DumpableBytes)},
		{"secrets in child processes", orNone(limits.ForkExclusion, "left out by ")},
		{"runtime/secret", onOff(stats.RuntimeSecret)},
		{"limit on locked memory", limit(limits)},
	}
	if limits.ExitWipe != "" {
		rows = append(rows, row{"when the process ends", "pages are wiped by " + limits.ExitWipe})
	}
	if stats.Unlocked {
		rows[0].Value = "NONE IS LOCKED (" + string(stats.Backend) + ")"
	}
	if stats.BackendReason != "" {
		rows = append(rows, row{"why no better mechanism", stats.BackendReason})
	}
	return rows
}

func orNone(call, prefix string) string {
	if call == "" {
		return "not protected: this system has no call for it"
	}
	return prefix + call
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off: build with GOEXPERIMENT=runtimesecret to have what functions given to Use leave behind wiped"
}

func limit(l locked.Limits) string {
	if l.Exempt {
		return "none: this process is exempt"
	}
	bytes := func(n uint64) string {
		if n == locked.Unlimited {
			return "unlimited"
		}
		return format.Number(int(n))
	}
	if l.Soft == l.Hard {
		return bytes(l.Soft)
	}
	return fmt.Sprintf("%s, can be raised to %s", bytes(l.Soft), bytes(l.Hard))
}

// A meter turns a counter into a rate, from one view of the page to the next.
type meter struct {
	start time.Time

	mu   sync.Mutex // protects what follows
	last time.Time
	uses uint64 // at last
}

// A rate is how often something happened in some time.
type rate struct {
	count uint64
	over  time.Duration
}

func newMeter(now time.Time, uses uint64) *meter { return &meter{start: now, last: now, uses: uses} }

// shortestRate is how old a reading must be to be replaced, so that several
// viewers don't leave each other moments to count in.
const shortestRate = time.Second

func (m *meter) read(now time.Time, uses uint64) rate {
	m.mu.Lock()
	defer m.mu.Unlock()
	// Another view may have come in between, with a later reading.
	r := rate{uses - min(m.uses, uses), max(0, now.Sub(m.last))}
	if r.over >= shortestRate {
		m.last, m.uses = now, uses
	}
	return r
}

// String returns the rate and the time that it is of: "12.5, in the last 4s".
func (r rate) String() string {
	if r.over <= 0 {
		return "unknown yet"
	}
	return fmt.Sprintf("%.1f, in the last %v", float64(r.count)/r.over.Seconds(), r.over.Round(100*time.Millisecond))
}
