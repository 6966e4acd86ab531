package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/memkeep/memkeep/tests/keyserver/internal/format"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
	"github.com/memkeep/memkeep/tests/keyserver/internal/procmem"
)

// summarize prints what this server does, what its keys cost, where it listens, and
// how to call it.
func summarize(ctx context.Context, out io.Writer, o options, v *vault, refused int, addr net.Addr) error {
	base := "http://" + addr.String()
	fmt.Fprintf(out, "keyserver signs and verifies over HTTP with %s keys, each encrypted in memory except while it is in use\n\n",
		format.Number(v.ring.Count().Total))
	table(out, v, refused)
	fmt.Fprintf(out, "\nlistening on %s\n", base)
	fmt.Fprintf(out, "status page for a browser: %s/\n", base)
	fmt.Fprintf(out, "figures for Prometheus:    %s/metrics\n", base)
	for _, t := range []keyring.Type{keyring.Ed25519, keyring.HMACSHA256} {
		if err := curlLines(ctx, out, o, v, t, base); err != nil {
			return err
		}
	}
	return nil
}

func table(out io.Writer, v *vault, refused int) {
	runtime.GC() // so that the heap's figure is of what lives
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	count, stats, usage := v.ring.Count(), v.session.Stats(), procmem.Read()

	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what, value string) { fmt.Fprintf(w, "%s\t%s\n", what, value) }
	row("secrets", fmt.Sprintf("%s (%s ed25519, %s hmac-sha256)", format.Number(count.Total),
		format.Number(count.Keys[keyring.Ed25519]), format.Number(count.Keys[keyring.HMACSHA256])))
	row("lines refused", format.Number(refused))
	row("bytes of secrets", format.Number(count.Bytes))
	row("bytes at rest", fmt.Sprintf("%s (the Go heap: sealed secrets, names, index)", format.Number(int(heap.HeapAlloc))))
	row("locked bytes", fmt.Sprintf("%s, at most %s (%s)", format.Number(stats.LockedBytes), format.Number(stats.LockedBytesPeak), stats.Backend))
	row("budget of locked bytes", format.Number(stats.Budget))
	row("locked, as the system counts", procmem.String(usage.Locked)+", of it memfd_secret "+procmem.String(usage.Secret))
	row("resident", procmem.String(usage.Resident))
	// Only a broken standard output can make this fail, and then it has.
	_ = w.Flush()
}

// curlLines prints how to sign with the first key of a type, and how to verify
// the outcome.
func curlLines(ctx context.Context, out io.Writer, o options, v *vault, t keyring.Type, base string) error {
	name, k := v.ring.First(t)
	if k == nil {
		return nil
	}
	message := []byte("hello")
	var signature []byte
	err := v.ring.Use(name, func(k *keyring.Key) (err error) {
		signature, err = k.Sign(ctx, message)
		return err
	})
	if err != nil {
		return fmt.Errorf("a first signature: %w", err)
	}
	before, header := "", ""
	if !o.token.IsZero() {
		// printf is a part of the shell: no list of processes shows the token.
		before = fmt.Sprintf(`printf 'Authorization: Bearer %%s' "$(cat %s)" | `, quoted(pathOf(o.token)))
		header = " -H @-"
	}
	encode := base64.StdEncoding.EncodeToString
	line := func(verb, body string) {
		// An escaped path has no quotes, and neither has base64.
		fmt.Fprintf(out, "%scurl -sS%s -H 'Content-Type: application/json' '%s/v1/keys/%s/%s' -d '%s'\n",
			before, header, base, url.PathEscape(name), verb, body)
	}
	fmt.Fprintf(out, "\n# %s\n", t)
	line("sign", fmt.Sprintf(`{"message":"%s"}`, encode(message)))
	line("verify", fmt.Sprintf(`{"message":"%s","signature":"%s"}`, encode(message), encode(signature)))
	return nil
}

// quoted quotes s for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
