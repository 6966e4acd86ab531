package locked

import (
	"fmt"
	"log/slog"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/redact"
)

// Format prints the backend, the budget, and NOT LOCKED if the memory is not.
func (p *Pool) Format(f fmt.State, _ rune) {
	if p == nil || p.store.backend == nil {
		fmt.Fprint(f, "locked.Pool(closed)")
		return
	}
	loud := ""
	if !page.Locks(p.store.backend) {
		loud = ", NOT LOCKED"
	}
	fmt.Fprintf(f, "locked.Pool(%s, %d bytes%s)", p.store.backend.Name(), p.store.total, loud)
}

// String returns the backend and the budget, "locked.Pool(memfd_secret, 8388608
// bytes)", and NOT LOCKED after them if the memory is not: see [Config.AllowUnlocked].
func (p *Pool) String() string { return fmt.Sprint(p) }

// GoString returns what String does.
func (p *Pool) GoString() string { return p.String() }

// LogValue logs what String returns.
func (p *Pool) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText encodes what String returns, in JSON too.
func (p *Pool) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// secret is how a region prints.
func (r *region) secret() redact.Secret {
	if r == nil {
		return 0
	}
	return redact.Secret(len(r.Bytes()))
}

// Format prints the size alone, whatever the verb.
func (r *region) Format(f fmt.State, verb rune) { r.secret().Format(f, verb) }

// String returns the size alone: "[REDACTED 4096 bytes]".
func (r *region) String() string { return r.secret().String() }

// GoString returns the size alone.
func (r *region) GoString() string { return r.String() }

// LogValue logs the size alone.
func (r *region) LogValue() slog.Value { return r.secret().LogValue() }

// MarshalText encodes the size alone, in JSON too.
func (r *region) MarshalText() ([]byte, error) { return r.secret().MarshalText() }
