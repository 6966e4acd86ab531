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

	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
	"github.com/memkeep/memkeep/tests/keyserver/internal/procmem"
)

// summarize prints what the keys cost, where the server listens, and how to
// call it.
func summarize(ctx context.Context, out io.Writer, v *vault, refused int, addr net.Addr) error {
	table(out, v, refused)
	base := "http://" + addr.String()
	fmt.Fprintf(out, "\nlistening on %s\n", base)
	for _, t := range []keyring.Type{keyring.Ed25519, keyring.HMACSHA256} {
		if err := curlLines(ctx, out, v, t, base); err != nil {
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
	row("secrets", fmt.Sprintf("%s (%s ed25519, %s hmac-sha256)", grouped(count.Total),
		grouped(count.Keys[keyring.Ed25519]), grouped(count.Keys[keyring.HMACSHA256])))
	row("lines refused", grouped(refused))
	row("bytes of secrets", grouped(count.Bytes))
	row("bytes at rest", fmt.Sprintf("%s (the Go heap: sealed secrets, names, index)", grouped(int(heap.HeapAlloc))))
	row("locked bytes", fmt.Sprintf("%s, at most %s (%s)", grouped(stats.LockedBytes), grouped(stats.LockedBytesPeak), stats.Backend))
	row("budget of locked bytes", grouped(stats.LockedBytesAllowed))
	row("locked, says the system", known(usage.Locked)+", of it memfd_secret "+known(usage.Secret))
	row("resident, says the system", known(usage.Resident))
	// Only a broken standard output can make this fail, and then it has.
	_ = w.Flush()
}

// known prints a figure of the system's, if there is one.
func known(n int64) string {
	if n == procmem.Unknown {
		return "unknown"
	}
	return grouped(int(n))
}

// grouped prints a number with commas.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// curlLines prints how to sign with the first key of a type, and how to verify
// the outcome.
func curlLines(ctx context.Context, out io.Writer, v *vault, t keyring.Type, base string) error {
	name, k := v.ring.First(t)
	if k == nil {
		return nil
	}
	message := []byte("hello")
	signature, err := k.Sign(ctx, message)
	if err != nil {
		return fmt.Errorf("a first signature: %w", err)
	}
	encode := base64.StdEncoding.EncodeToString
	line := func(verb, body string) {
		// An escaped path has no quotes, and neither has base64.
		fmt.Fprintf(out, "curl -sS -H 'Content-Type: application/json' '%s/v1/keys/%s/%s' -d '%s'\n",
			base, url.PathEscape(name), verb, body)
	}
	fmt.Fprintf(out, "\n# %s\n", t)
	line("sign", fmt.Sprintf(`{"message":"%s"}`, encode(message)))
	line("verify", fmt.Sprintf(`{"message":"%s","signature":"%s"}`, encode(message), encode(signature)))
	return nil
}
