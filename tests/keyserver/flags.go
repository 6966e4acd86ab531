package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/locked"
	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
)

const (
	defaultAddr = "127.0.0.1:8440"
	defaultKeys = 100_000
	// defaultMaxBody is far more than what is signed in one piece, and little
	// enough that a few hundred of them fit into memory.
	defaultMaxBody = 1 << 20
)

// options are what the command line says.
type options struct {
	addr           string
	anyPort        bool // another port will do if addr's is taken
	keys           int
	load           string
	keyRefs        []namedRef
	keysDir        string
	token          load.Ref
	reloadInterval time.Duration
	harden         bool
	hosts          []string // allowed in the Host header, in lower case
	lockedBytes    int
	allowUnlocked  bool
	maxBody        int64
	requestTimeout time.Duration
	readTimeout    time.Duration
	drainTimeout   time.Duration
	logFormat      string
	logLevel       slog.Level
}

const usage = `Usage: keyserver [flags]

Holds signing keys in enclaves, and signs and verifies over HTTP on a loopback
address. Without flags it makes keys of its own.

-load FILE reads keys, a JSON object in each line:

    {"name":"invoices","type":"ed25519","key":"base64 of the seed or private key"}
    {"name":"webhooks","type":"hmac-sha256","key":"base64 of 1 to 1024 bytes"}

A line that holds no key is refused with its number, and the rest goes on.

-key and -keys-dir take keys from files and systemd credentials: an Ed25519 key in
PEM, as openssl genpkey -algorithm ed25519 makes it, or else the bytes of an
HMAC-SHA-256 key, without a line end at their end. They follow the files: a new
version is in use soon after it is there, and at once after SIGHUP, and no request
fails for it. A version that is no key is refused, and the old one stays in use.

    keyserver -key invoices=file:/etc/keys/invoices.pem -key hooks=credential:hooks
    keyserver -keys-dir /run/secrets/keys -token file:/run/secrets/token

Flags:
`

// parseFlags returns flag.ErrHelp for -h. It has then written to stderr what
// there is to say, as for any error of the flags' syntax.
func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("keyserver", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
	}
	f.StringVar(&o.addr, "addr", defaultAddr, "loopback `address` to listen on; if the default's port is taken, any free one")
	f.IntVar(&o.keys, "keys", defaultKeys, "how `many` keys to make; with keys from elsewhere none, unless this says so")
	f.StringVar(&o.load, "load", "", "`file` of keys to load, - for standard input")
	f.Func("key", "`NAME=REF`: a key, and where it is, file:PATH or credential:NAME; may be repeated", o.addKey)
	f.StringVar(&o.keysDir, "keys-dir", "", "`folder` of keys, each in a file that has its name; SIGHUP takes new files and drops keys whose files are gone")
	f.Func("token", "`REF` of the bearer token that the API then wants, file:PATH or credential:NAME", func(text string) error {
		return parseRef(text, &o.token)
	})
	f.DurationVar(&o.reloadInterval, "reload-interval", load.DefaultInterval, "how `often` the files of keys and token are read again")
	f.BoolVar(&o.harden, "harden", false, "leave no core dumps, and let no process of the same user trace this one (Linux, FreeBSD, macOS)")
	f.Func("allow-host", "another `name` in the Host header of requests, besides localhost and loopback addresses; may be repeated", o.allowHost)
	f.IntVar(&o.lockedBytes, "locked-bytes", locked.DefaultLockedBytes, "budget of locked memory in `bytes`")
	f.BoolVar(&o.allowUnlocked, "allow-unlocked", false, "where no memory can be locked, continue with memory that the system may swap out")
	f.Int64Var(&o.maxBody, "max-body", defaultMaxBody, "largest body of a request to sign or verify, in `bytes`")
	f.DurationVar(&o.requestTimeout, "request-timeout", 5*time.Second, "how `long` a request waits for locked memory")
	f.DurationVar(&o.readTimeout, "read-timeout", 10*time.Second, "how `long` a client may take to send a request")
	f.DurationVar(&o.drainTimeout, "drain-timeout", 20*time.Second, "how `long` requests may take to finish at the end")
	f.StringVar(&o.logFormat, "log-format", "text", "`format` of the log: text or json")
	f.TextVar(&o.logLevel, "log-level", slog.LevelWarn, "least `level` that is logged: debug, info (every request), warn, error")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	o.anyPort = !given["addr"]
	if (o.load != "" || o.keysDir != "" || len(o.keyRefs) > 0) && !given["keys"] {
		o.keys = 0
	}
	err := o.check(f.Args())
	if err != nil {
		fmt.Fprintf(stderr, "keyserver: %v; -h lists the flags\n", err)
	}
	return o, err
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("what is %q for?", rest[0])
	case o.keys < 0:
		return errors.New("-keys is negative")
	case o.lockedBytes <= 0:
		return errors.New("-locked-bytes must be more than 0")
	case o.maxBody <= 0:
		return errors.New("-max-body must be more than 0")
	case o.requestTimeout <= 0 || o.readTimeout <= 0 || o.drainTimeout <= 0:
		return errors.New("a timeout must be more than 0")
	case o.reloadInterval <= 0:
		return errors.New("-reload-interval must be more than 0")
	case o.logFormat != "text" && o.logFormat != "json":
		return fmt.Errorf("-log-format is %q, not text or json", o.logFormat)
	}
	return checkLoopback(o.addr)
}

// addKey adds a key by its name and reference.
func (o *options) addKey(text string) error {
	name, ref, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("want NAME=REF")
	}
	if err := intake.CheckName(name); err != nil {
		return err
	}
	k := namedRef{name: name}
	if err := parseRef(ref, &k.ref); err != nil {
		return err
	}
	o.keyRefs = append(o.keyRefs, k)
	return nil
}

// parseRef parses a reference to what may change.
func parseRef(text string, ref *load.Ref) error {
	if !strings.HasPrefix(text, "file:") && !strings.HasPrefix(text, "credential:") {
		return errors.New("want file:PATH or credential:NAME")
	}
	return ref.UnmarshalText([]byte(text))
}

// allowHost adds a name for the Host header.
func (o *options) allowHost(name string) error {
	if name == "" || strings.ContainsAny(name, " :/*") {
		return errors.New("not the name of a host, without a port")
	}
	o.hosts = append(o.hosts, strings.ToLower(strings.TrimSuffix(name, ".")))
	return nil
}

// checkLoopback refuses addresses that others could reach.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("-addr: %q is no loopback address, and this server has no TLS", host)
	}
	return nil
}

// logger returns the log that the options ask for.
func (o *options) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: o.logLevel}
	if o.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
