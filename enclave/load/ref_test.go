package load_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

func parse(t testing.TB, text string) load.Ref {
	t.Helper()
	r, err := load.ParseRef(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func TestRefPrintsAsItIsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"file:/run/secrets/db", "file:relative", "file:/a b", "file:/x.json#password", "file:/x.json#/a/b~1c",
		"env:DB_PASSWORD", "env:DB#password", "credential:db", "credential:db.json#a", "fd:0", "fd:3", "fd:3#a",
		"cmd:pass show db", `cmd:["op","read","a b"]`, "cmd:a#b",
	} {
		r := parse(t, text)
		if r.IsZero() {
			t.Errorf("%s is unset", text)
		}
		raw, err := json.Marshal(map[string]load.Ref{"r": r})
		var back map[string]load.Ref
		if err := errors.Join(err, json.Unmarshal(raw, &back)); err != nil || back["r"] != r {
			t.Errorf("%s came back as %v, %v", text, back, err)
		}
		for _, verb := range []string{"%v", "%s", "%+v", "%#v", "%x", "%d"} {
			if got := fmt.Sprintf(verb, r); got != text {
				t.Errorf("%s prints %s with %s", text, got, verb)
			}
		}
	}
}

func TestTextThatIsNoReferenceIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		content, ":" + content, "correct:" + content, "literal " + content, "FILE:" + content, " file:/x",
		"file:", "file:#a", "file:/x#", "file:/x\n", "file:/x\x00", "file:\xff", "file:/x#a\xff", "file:/x\ufffd",
		"env:", "env:A=" + content, "env:A\n", "credential:", "credential:../x", "credential:a/b", `credential:a\b`, "credential:..",
		"fd:", "fd:-1", "fd:1", "fd:2", "fd:x", "fd:99999999999", "fd:3 ", "cmd:", "cmd: ", "cmd:[", "cmd:[]", `cmd:[""]`, `cmd:[1]`, "cmd:a\nb",
		"literal:[REDACTED 5 bytes]",
	} {
		before := parse(t, "env:BEFORE")
		r := before
		err := r.UnmarshalText([]byte(text))
		refused(t, nil, err, load.ErrInvalidRef, "reference")
		if r != before {
			t.Errorf("%q changed the reference to %v", text, r)
		}
		silent(t, err)
	}
	var r load.Ref
	if err := r.UnmarshalText([]byte("literal:")); !errors.Is(err, enclave.ErrEmpty) {
		t.Errorf("an empty literal: %v", err)
	}
	raw, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	err = json.Unmarshal(raw, &r)
	if !errors.Is(err, load.ErrInvalidRef) {
		t.Errorf("%v", err)
	}
	silent(t, err)
}

func TestAnUnsetRefIsAnErrorToResolve(t *testing.T) {
	t.Parallel()
	r := parse(t, "env:A")
	if err := r.UnmarshalText(nil); err != nil {
		t.Error(err)
	}
	e, err := r.Resolve(t.Context())
	refused(t, e, err, load.ErrNotSet, "reference")
	if text, err := r.MarshalText(); len(text) > 0 || err != nil || !r.IsZero() {
		t.Errorf("%q, %v", text, err)
	}
}

func TestRefResolvesToItsSource(t *testing.T) {
	l := newLoader(t)
	dir := testenv.TempDir(t)
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("MEMKEEP_LOAD_TEST", content)
	t.Setenv("MEMKEEP_LOAD_JSON", `{"password":"`+content+`"}`)
	path := write(t, dir, "plain", content+"\n")
	asJSON := write(t, dir, "x.json", `{"a":{"b/c":["`+content+`"]},"password":"`+content+`","/":"x"}`)
	for _, text := range []string{
		"file:" + path, "file:" + asJSON + "#password", "file:" + asJSON + "#/a/b~1c/0", "file:" + asJSON + "#/password",
		"credential:plain", "credential:x.json#password", "env:MEMKEEP_LOAD_TEST", "env:MEMKEEP_LOAD_JSON#password",
	} {
		e, err := l.Resolve(t.Context(), parse(t, text))
		holds(t, e, err, []byte(content))
	}
	for text, want := range map[string]error{
		"file:" + filepath.Join(dir, "none"): fs.ErrNotExist,
		"file:" + dir:                        load.ErrNotFile,
		"file:" + path + "#password":         load.ErrSyntax,
		"file:" + asJSON + "#none":           load.ErrNoField,
		"credential:none":                    fs.ErrNotExist,
		"env:MEMKEEP_LOAD_TEST":              load.ErrNotSet,
		"fd:1000000":                         nil,
	} {
		e, err := l.Resolve(t.Context(), parse(t, text))
		if want == nil {
			want = err
		}
		refused(t, e, err, want, text)
	}
}

func TestARefRunsOnlyCommandsThatTheProgramAllows(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	r := parse(t, "cmd:echo a b")
	for _, allowed := range [][]string{nil, {"ech"}, {"echo a"}, {"/bin/echo"}, {""}} {
		l.Commands = allowed
		e, err := l.Resolve(t.Context(), r)
		refused(t, e, err, load.ErrNotAllowed, "cmd:echo")
	}
	e, err := r.Resolve(t.Context())
	refused(t, e, err, load.ErrNotAllowed, "cmd:echo")
	need(t, "echo")
	l.Commands = []string{"pass", "echo"}
	for text, want := range map[string]string{"cmd:echo a  b": "a b", `cmd:["echo","a  b"]`: "a  b"} {
		e, err := l.Resolve(t.Context(), parse(t, text))
		holds(t, e, err, []byte(want))
	}
}

func TestFlagDecodesARef(t *testing.T) {
	t.Parallel()
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	var r load.Ref
	set.TextVar(&r, "db", parse(t, "env:DEFAULT"), "")
	if r.String() != "env:DEFAULT" {
		t.Errorf("%v", r)
	}
	if err := set.Parse([]string{"-db", "file:/x"}); err != nil || r.String() != "file:/x" {
		t.Errorf("%v, %v", r, err)
	}
	if err := set.Parse([]string{"-db", "x"}); err == nil {
		t.Error("no error")
	}
}

func TestALiteralIsSealedAndRedacted(t *testing.T) {
	if !ownProcess(t) {
		return
	}
	var config struct {
		Password load.Ref
		Other    *load.Ref
	}
	text := `{"Password":"literal:` + content + `","Other":"literal:` + content + `\n"}`
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	// The decoder's bytes are its own.
	input := []byte("literal:" + content)
	if err := new(load.Ref).UnmarshalText(input); err != nil || string(input) != "literal:"+content {
		t.Errorf("UnmarshalText made %q of its input, %v", input, err)
	}
	l := newLoader(t)
	for _, r := range []load.Ref{config.Password, *config.Other} {
		for range 2 {
			e, err := r.Resolve(t.Context())
			holds(t, e, err, []byte(content))
			e.Destroy()
			e, err = l.Resolve(t.Context(), r)
			holds(t, e, err, []byte(content))
		}
	}
	l.MaxSize = len(content) - 1
	e, err := l.Resolve(t.Context(), config.Password)
	refused(t, e, err, load.ErrTooLarge, "literal")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "config", config, "ref", config.Password)
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprintf("%v %+v %#v %s %x %d %q", config, config, config, config, config, config, config),
		fmt.Sprintf("%v %+v %#v %s %x %d %q", config.Password, config.Other, &config.Other, config.Password, config.Password, config.Password, config.Password),
		string(raw), log.String(),
	} {
		if strings.Contains(printed, "horse") || strings.Contains(printed, fmt.Sprintf("%x", "horse")) {
			t.Errorf("%s shows the content", printed)
		}
	}
	if err := json.Unmarshal(raw, &config); !errors.Is(err, load.ErrInvalidRef) {
		t.Errorf("a literal that was printed comes back: %v", err)
	}
}

// A text is refused without being repeated, or gives a reference that prints as it was
// written and is read back the same; a literal shows its length alone.
func FuzzRef(f *testing.F) {
	for _, seed := range []string{"", "file:/a#b", "file:a#/b/c~1d", "env:A_B", "credential:db", "fd:3#x", "cmd:pass show db", `cmd:["op","read","a b"]`, "literal:hunter2", "literal:[REDACTED 7 bytes]", "nothing:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		input := []byte(text)
		r, err := load.ParseRef(text)
		if err != nil {
			if !errors.Is(err, load.ErrInvalidRef) && !errors.Is(err, enclave.ErrEmpty) {
				t.Fatalf("the error is none of the package's: %v", err)
			}
			if len(text) > 16 && strings.Contains(err.Error(), text) {
				t.Fatalf("the error repeats the text: %v", err)
			}
			return
		}
		if err := new(load.Ref).UnmarshalText(input); err != nil || string(input) != text {
			t.Fatalf("UnmarshalText: %v; the input is now %q", err, input)
		}
		printed := r.String()
		if secret, ok := strings.CutPrefix(text, "literal:"); ok {
			if want := fmt.Sprintf("literal:[REDACTED %d bytes]", len(secret)); printed != want {
				t.Fatalf("a literal prints as %q, want %q", printed, want)
			}
			return
		}
		again, err := load.ParseRef(printed)
		if err != nil || again != r {
			t.Fatalf("%q prints as %q, which is %v, %v", text, printed, again, err)
		}
	})
}
