package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/memkeep/memkeep/enclave"
)

// A Ref names the source of a secret. A configuration holds it instead of the secret:
//
//	file:/run/secrets/db            a file, as File reads it
//	file:/run/secrets/db#password   a field of the JSON in it
//	file:/run/secrets/db#/data/key  the same, nested: a JSON Pointer (RFC 6901)
//	env:DB_PASSWORD                 the environment, as Env takes it
//	credential:db                   a systemd credential
//	fd:3                            a file descriptor
//	cmd:pass show db                a command, where Loader.Commands allows it
//	cmd:["op","read","a b"]         the same, with arguments that hold spaces
//	literal:hunter2                 the secret itself
//
// env, credential and fd may have a field too. References to env and fd can be
// resolved once.
//
// Ref implements [encoding.TextUnmarshaler], so encoding/json, YAML, TOML, flag
// (TextVar) and environment libraries decode it. Any other text is [ErrInvalidRef].
// The error does not repeat the text, which may be a secret that was put there by
// mistake. The zero Ref and an empty text are unset; resolving them is [ErrNotSet].
//
// A literal is sealed in the default session as it is decoded, so Ref itself keeps
// no plaintext, but its decoder may. encoding/json passes on the bytes of its input,
// so a literal without escapes in JSON that lies in locked memory leaves no copy.
// yaml.v3, TOML, flag and environment libraries make strings, which stay on the heap
// until the garbage collector frees them. Use literals in tests.
//
// A Ref prints as its text, and a literal as "literal:[REDACTED 7 bytes]".
type Ref struct {
	kind    string
	arg     string           // path, name, number or command
	field   string           // as written behind the #
	literal *enclave.Enclave // of kind literal
}

// The kinds of references, as they are spelled.
const (
	kindFile       = "file"
	kindEnv        = "env"
	kindCredential = "credential"
	kindFD         = "fd"
	kindCommand    = "cmd"
	kindLiteral    = "literal"
)

// redacted is what no literal begins with, so that a Ref that was printed is not
// taken for a secret.
const redacted = "[REDACTED "

// ParseRef parses the text of a reference.
func ParseRef(text string) (Ref, error) {
	var r Ref
	err := r.UnmarshalText([]byte(text))
	return r, err
}

// UnmarshalText parses the text of a reference. It does not resolve the reference, and
// does not keep text.
func (r *Ref) UnmarshalText(text []byte) error {
	if err := r.parse(text); err != nil {
		return failed("reference", err)
	}
	return nil
}

func (r *Ref) parse(text []byte) error {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	head, rest, _ := bytes.Cut(text, []byte(":"))
	// Until the kind is known, the text may be a secret: make no string of it.
	var parsed Ref
	for _, kind := range []string{kindFile, kindEnv, kindCredential, kindFD, kindCommand, kindLiteral} {
		if string(head) == kind {
			parsed.kind = kind
		}
	}
	switch parsed.kind {
	case kindLiteral:
		return r.setLiteral(rest)
	case kindFile, kindEnv, kindCredential, kindFD:
		var hasField bool
		parsed.arg, parsed.field, hasField = strings.Cut(string(rest), "#")
		if hasField && parsed.field == "" {
			return fmt.Errorf("%w: a field's name is missing behind #", ErrInvalidRef)
		}
	case kindCommand:
		parsed.arg = string(rest)
	default:
		return fmt.Errorf("%w: want file:PATH, env:NAME, credential:NAME, fd:NUMBER, cmd:PROGRAM ARGUMENTS or literal:VALUE", ErrInvalidRef)
	}
	if err := parsed.check(); err != nil {
		return err
	}
	*r = parsed
	return nil
}

func (r *Ref) setLiteral(secret []byte) error {
	if bytes.HasPrefix(secret, []byte(redacted)) {
		return fmt.Errorf("%w: the literal is redacted", ErrInvalidRef)
	}
	if len(secret) == 0 {
		return failed("literal", errEmpty)
	}
	e, err := enclave.NewCopy(secret)
	if err != nil {
		return failed("literal", err)
	}
	*r = Ref{kind: kindLiteral, literal: e}
	return nil
}

// check refuses what can't be resolved anywhere.
func (r Ref) check() error {
	unprintable := func(c rune) bool { return c == utf8.RuneError || unicode.IsControl(c) }
	switch {
	case strings.ContainsFunc(r.arg+r.field, unprintable):
		return fmt.Errorf("%w: %s: a character that is not printable UTF-8", ErrInvalidRef, r.kind)
	case r.arg == "":
		return fmt.Errorf("%w: nothing follows %s: in it", ErrInvalidRef, r.kind)
	}
	switch r.kind {
	case kindFD:
		// Standard output and error are not read.
		n, err := strconv.ParseUint(r.arg, 10, 31)
		if err != nil || n == 1 || n == 2 {
			return fmt.Errorf("%w: fd: not the number of a descriptor to read", ErrInvalidRef)
		}
	case kindEnv:
		if strings.ContainsRune(r.arg, '=') {
			return fmt.Errorf("%w: env: a name holds no =", ErrInvalidRef)
		}
	case kindCredential:
		if strings.ContainsAny(r.arg, `/\`) || r.arg == "." || r.arg == ".." {
			return fmt.Errorf("%w: credential: a name is a file name", ErrInvalidRef)
		}
	case kindCommand:
		if argv, err := r.argv(); err != nil || len(argv) == 0 || argv[0] == "" {
			return fmt.Errorf("%w: cmd: want words, or a JSON array of strings", ErrInvalidRef)
		}
	}
	return nil
}

// argv returns the words of a command.
func (r Ref) argv() (argv []string, err error) {
	if strings.HasPrefix(r.arg, "[") {
		err = json.Unmarshal([]byte(r.arg), &argv)
		return argv, err
	}
	return strings.Fields(r.arg), nil
}

// pointer returns the names that the field's text leads through.
func (r Ref) pointer() []string {
	if !strings.HasPrefix(r.field, "/") {
		return []string{r.field}
	}
	names := strings.Split(r.field[1:], "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i := range names {
		names[i] = unescape.Replace(names[i])
	}
	return names
}

// Resolve reads the secret that r refers to: see [Loader.Resolve]. Commands are
// [ErrNotAllowed].
func (r Ref) Resolve(ctx context.Context) (*enclave.Enclave, error) {
	return Loader{}.Resolve(ctx, r)
}

// Resolve reads the secret that the reference names and returns it in a new enclave.
// The errors are those of the Loader's method for that source.
func (l Loader) Resolve(ctx context.Context, r Ref) (*enclave.Enclave, error) {
	var pick picker
	if r.field != "" {
		pick = func(text []byte) ([]byte, error) { return jsonString(text, r.pointer()) }
	}
	source := r.text()
	switch r.kind {
	case kindFile:
		return l.file(ctx, r.arg, source, pick)
	case kindEnv:
		return l.env(ctx, r.arg, source, pick)
	case kindCredential:
		return l.credential(ctx, r.arg, source, pick)
	case kindFD:
		n, err := strconv.Atoi(r.arg)
		if err != nil {
			return nil, failed(source, err)
		}
		return l.fd(ctx, n, source, pick)
	case kindCommand:
		return l.command(ctx, r)
	case kindLiteral:
		if r.literal.Size() > l.maxSize() {
			return nil, failed(source, l.tooLarge())
		}
		e, err := enclave.GetContext(ctx, r.literal, l.sealBytes)
		if err != nil {
			return nil, failed(source, err)
		}
		return e, nil
	}
	return nil, failed("reference", ErrNotSet)
}

// command runs the command of a reference if the program allowed it.
func (l Loader) command(ctx context.Context, r Ref) (*enclave.Enclave, error) {
	argv, err := r.argv()
	if err != nil {
		return nil, failed(r.text(), err)
	}
	for _, allowed := range l.Commands {
		if argv[0] == allowed {
			return l.Command(ctx, argv...)
		}
	}
	return nil, failed("cmd:"+argv[0], ErrNotAllowed)
}

// IsZero reports whether r is unset.
func (r Ref) IsZero() bool { return r.kind == "" }

// text returns what a reference prints as.
func (r Ref) text() string {
	switch {
	case r.IsZero():
		return ""
	case r.kind == kindLiteral:
		return kindLiteral + ":" + r.literal.String()
	case r.field != "":
		return r.kind + ":" + r.arg + "#" + r.field
	}
	return r.kind + ":" + r.arg
}

// Format prints the reference's text, with a literal redacted, whatever the verb.
func (r Ref) Format(f fmt.State, _ rune) {
	// A printer that can't write has nowhere to report it either.
	_, _ = f.Write([]byte(r.text()))
}

// String returns the reference's text, with a literal redacted.
func (r Ref) String() string { return r.text() }

// GoString returns the reference's text, with a literal redacted.
func (r Ref) GoString() string { return r.text() }

// LogValue logs the reference's text, with a literal redacted.
func (r Ref) LogValue() slog.Value { return slog.StringValue(r.text()) }

// MarshalText encodes the reference's text. A literal is redacted, and does not
// come back.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.text()), nil }
