package report

import (
	"slices"
	"strings"
)

// Workloads of keys, before the name of the algorithm, and their lines.
const (
	KeysSign      = "keys: "
	KeysHandshake = "keys: TLS 1.3 handshake, "
	Keyserver     = "key server: "

	LineKeys     = "enclave/keys"
	LineHeapKeys = "standard library"
)

// keys prints the time of each operation with a key, and its ratio.
func (p printer) keys() {
	t := p.table("Operations with a key of enclave/keys, and with the standard library's on the heap; the key server by 32 clients over HTTP",
		"", "", LineKeys, LineHeapKeys, "ratio (quartiles)")
	for _, c := range p.Cells {
		if !isKeys(c.Workload) || c.Line != LineKeys {
			continue
		}
		base := p.like(c, LineHeapKeys)
		if len(c.Samples) > 0 {
			r := Ratio(c, base)
			t.AppendRow([]any{c.Workload, goroutines(c.Key), duration(c.Time().Median), duration(base.Time().Median), ratio(r) + " (" + digits(r.Low) + " … " + digits(r.High) + ")"})
		}
		p.failure(t, c.Workload, c, 5)
	}
	t.Render()
}

func isKeys(workload string) bool {
	return strings.HasPrefix(workload, KeysSign) || strings.HasPrefix(workload, Keyserver)
}

// keyBounds are the targets of keys, none for a run from before there were any. Where
// several numbers of goroutines or algorithms are meant, the worst one counts.
func keyBounds(r *Results) []bound {
	if !slices.ContainsFunc(r.Cells, func(c *Cell) bool { return isKeys(c.Workload) }) {
		return nil
	}
	worst := func(prefix string) Spread {
		w := Spread{}
		for _, c := range r.Cells {
			if !strings.HasPrefix(c.Workload, prefix) || c.Line != LineKeys {
				continue
			}
			k := c.Key
			k.Line = LineHeapKeys
			if s := Ratio(c, r.Find(k)); s.N > 0 && s.Median > w.Median {
				w = s
			}
		}
		return w
	}
	served := worst(Keyserver)
	if served.N > 0 { // times to rates
		served = Spread{N: served.N, Median: 1 / served.Median, Low: 1 / served.High, High: 1 / served.Low, Smallest: 1 / served.Greatest, Greatest: 1 / served.Smallest}
	}
	return []bound{
		{"Ed25519: keys ÷ crypto/ed25519, by 1, 2 or 64 goroutines", 1.15, 1, false, "×", worst(KeysSign + "Ed25519")},
		{"ECDSA P-256: keys ÷ crypto/ecdsa, the same", 1.3, 1, false, "×", worst(KeysSign + "ECDSA P-256")},
		{"RSA 2048: keys ÷ crypto/rsa, the same", 1.3, 1, false, "×", worst(KeysSign + "RSA 2048")},
		{"HMAC-SHA-256 of 64 bytes: keys ÷ crypto/hmac, the same", 3, 1.5, false, "×", worst(KeysSign + "HMAC-SHA-256")},
		{"a TLS 1.3 handshake: keys ÷ the standard library's key", 1.1, 1, false, "×", worst(KeysHandshake)},
		{"the key server's signatures a second ÷ a plain server's", 0.9, 1, true, "×", served},
	}
}
