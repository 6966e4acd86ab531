package intake

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const key = "AAECAwQFBgcICQoLDA0ODw=="
	for _, c := range []struct {
		text string
		want error
	}{
		{`{"name":"a","type":"b","key":"` + key + `"}`, nil},
		{" {\t\"key\" : \"" + key + "\" ,\r\n\"type\":\"b\",\"name\":\"a\"} \n", nil},
		{`{"name":"\u0061","\u0074ype":"b","key":"AAECAwQFBgcICQoLDA0ODw\u003d="}`, nil},
		{`{"name":"\ud83d\ude00\"\\\/","type":"b"}`, nil},
		{`{"name":"a/b c","type":"b"}`, nil},
		{``, ErrSyntax},
		{`null`, ErrSyntax},
		{`[]`, ErrSyntax},
		{`{`, ErrSyntax},
		{`{"name"`, ErrSyntax},
		{`{"name":`, ErrSyntax},
		{`{"name":"a`, ErrSyntax},
		{`{"name":"a\`, ErrSyntax},
		{`{"name":"a\u00`, ErrSyntax},
		{`{"name":"a","type":"b"`, ErrSyntax},
		{`{"name":"a","type":"b",}`, ErrSyntax},
		{`{,"name":"a","type":"b"}`, ErrSyntax},
		{`{"name":"a" "type":"b"}`, ErrSyntax},
		{`{"name":"a","type":"b"}}`, ErrSyntax},
		{`{"name":"a","type":"b"} {}`, ErrSyntax},
		{`{"name":1,"type":"b"}`, ErrSyntax},
		{`{"name":null,"type":"b"}`, ErrSyntax},
		{`{"name":"a\x","type":"b"}`, ErrSyntax},
		{`{"name":"a\ud800","type":"b"}`, ErrSyntax},
		{`{"name":"a\ud800\u0061","type":"b"}`, ErrSyntax},
		{`{"name":"a\udc00\ud800","type":"b"}`, ErrSyntax},
		{"{\"name\":\"a\xff\",\"type\":\"b\"}", ErrSyntax},
		{"{\"name\":\"a\n\",\"type\":\"b\"}", ErrSyntax},
		{`{"name":"a"}`, ErrField},
		{`{"type":"b"}`, ErrField},
		{`{"name":"a","type":"b","more":"c"}`, ErrField},
		{`{"Name":"a","type":"b"}`, ErrField},
		{`{"name":"a","type":"b","name":"c"}`, ErrField},
		{`{"name":"","type":"b"}`, ErrName},
		{`{"name":"..","type":"b"}`, ErrName},
		{`{"name":"a\u0000","type":"b"}`, ErrName},
		{`{"name":"` + strings.Repeat("a", MaxName+1) + `","type":"b"}`, ErrName},
		{`{"name":"a","type":"b","key":""}`, ErrEmptyKey},
		{`{"name":"a","type":"b","key":"AAE"}`, ErrBase64},
		{`{"name":"a","type":"b","key":"AAE=="}`, ErrBase64},
		{`{"name":"a","type":"b","key":"===="}`, ErrBase64},
		{`{"name":"a","type":"b","key":"AA-_"}`, ErrBase64},
		{`{"name":"a","type":"b","key":"AAF="}`, ErrBase64},
		{`{"name":"a","type":"b","key":"AAEC\nAAEC"}`, ErrBase64},
		{`{"name":"a","type":"b","key":"` + strings.Repeat("AAEC", MaxKey/3+1) + `"}`, ErrKeyTooBig},
	} {
		room := make([]byte, MaxKey)
		if _, err := Parse([]byte(c.text), room); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.text, err, c.want)
		}
		checkOracle(t, []byte(c.text))
	}
}

// An error must not repeat what may be a key.
func TestErrorsRepeatNothing(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0c2VjcmV0"
	for _, text := range []string{
		`{"` + secret + `":"a"}`,
		`{"name":"a","type":"b","key":"` + secret + `="}`,
		`{"name":"a","type":"b"` + secret,
		secret,
	} {
		_, err := Parse([]byte(text), make([]byte, MaxKey))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// checkOracle compares Parse with encoding/json: what one takes the other
// takes, with the same outcome, except where Parse is stricter.
func checkOracle(t *testing.T, text []byte) {
	t.Helper()
	room := make([]byte, MaxKey)
	got, err := Parse(bytes.Clone(text), room)

	fields, plain := oracleFields(text)
	switch {
	case err == nil && !plain:
		t.Fatalf("Parse takes %q, encoding/json does not", text)
	case errors.Is(err, ErrSyntax) && plain:
		// The one thing that encoding/json repairs: it puts U+FFFD in place of
		// what is not UTF-8 and of lone surrogates.
		for name, value := range fields {
			if strings.ContainsRune(name+value, utf8.RuneError) {
				return
			}
		}
		t.Fatalf("Parse refuses %q: %v; encoding/json does not", text, err)
	case err != nil:
		return
	}
	if got.Name != fields["name"] || got.Type != fields["type"] {
		t.Fatalf("%q: name %q and type %q, want %q", text, got.Name, got.Type, fields)
	}
	encoded, hasKey := fields["key"]
	if got.HasKey != hasKey {
		t.Fatalf("%q: HasKey is %v", text, got.HasKey)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || !bytes.Equal(got.Key, key) {
		t.Fatalf("%q: key %x, want %x, %v", text, got.Key, key, err)
	}
}

// oracleFields reads an object of strings, none of them twice, with
// encoding/json.
func oracleFields(text []byte) (map[string]string, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, false
	}
	fields := map[string]string{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		value, err := d.Token()
		if err != nil {
			return nil, false
		}
		text, ok := value.(string)
		if _, twice := fields[name.(string)]; twice || !ok {
			return nil, false
		}
		fields[name.(string)] = text
	}
	return fields, json.Valid(text)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"name":"a","type":"b","key":"AAEC"}`))
	f.Add([]byte(`{"name":"\ud83d\ude00\u0061","type":"\/","key":"AA\u003d\u003d"}`))
	f.Add([]byte(` { "type" : "b" , "name":"a"} `))
	f.Add([]byte(`{"name":"a","type":"b","key":"===="}`))
	f.Fuzz(func(t *testing.T, text []byte) { checkOracle(t, text) })
}

// collect returns what Lines makes of a source: the lines, with their numbers.
func collect(src io.Reader, buf []byte) (lines []string, err error) {
	l := NewLines(src, buf)
	for {
		line, number, err := l.Next()
		switch {
		case errors.Is(err, ErrTooLong):
			lines = append(lines, fmt.Sprintf("%d too long", number))
		case err != nil:
			return lines, err
		default:
			lines = append(lines, fmt.Sprintf("%d %s", number, line))
		}
	}
}

// wantLines is what Lines must make of a text, with the simplest means.
func wantLines(text string, size int) []string {
	var want []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		switch line = strings.TrimSuffix(line, "\n"); {
		case len(line) >= size:
			want = append(want, fmt.Sprintf("%d too long", number))
		case strings.TrimSpace(line) != "":
			want = append(want, fmt.Sprintf("%d %s", number, line))
		}
	}
	return want
}

func checkLines(t *testing.T, text string, size int) {
	t.Helper()
	want := wantLines(text, size)
	for _, src := range []io.Reader{
		strings.NewReader(text),
		iotest.OneByteReader(strings.NewReader(text)),
		iotest.DataErrReader(strings.NewReader(text)),
	} {
		buf := make([]byte, size)
		got, err := collect(src, buf)
		if err != io.EOF || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%q in %d bytes: %q, %v; want %q", text, size, got, err, want)
		}
		if !bytes.Equal(buf, make([]byte, size)) {
			t.Fatalf("%q: left in the buffer: %q", text, buf)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "\n", "a", "a\n", "a\nb", "a\r\nb\r\n", "\n\n a \n\n", "1234567", "1234567\n",
		"12345678", "12345678\n", "123456789\nb", "b\n" + strings.Repeat("x", 100) + "\nc\n",
		strings.Repeat("x", 100), strings.Repeat("x", 16), strings.Repeat("x", 16) + "\n\nz",
	} {
		checkLines(t, text, 8)
	}
}

func FuzzLines(f *testing.F) {
	f.Add("a\nbb\n\nccc", 4)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size < 1 || size > 1<<12 {
			t.Skip()
		}
		checkLines(t, text, size)
	})
}

// A file that can't be read to its end must not pass a half line for a line.
func TestLinesReadError(t *testing.T) {
	t.Parallel()
	failure := errors.New("the disk is gone")
	src := io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(failure))
	got, err := collect(src, make([]byte, 64))
	if strings.Join(got, ",") != "1 a" || !errors.Is(err, failure) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReadText(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{0: nil, 1: nil, 7: nil, 8: ErrTooLong, 100: ErrTooLong} {
		text := strings.Repeat("x", size)
		got, err := ReadText(strings.NewReader(text), make([]byte, 8))
		if !errors.Is(err, want) || err == nil && string(got) != text {
			t.Errorf("%d bytes: %q, %v", size, got, err)
		}
	}
	cut := io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := ReadText(cut, make([]byte, 8)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a text that was cut off: %v", err)
	}
}

func TestDesk(t *testing.T) {
	t.Parallel()
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit()})
	var limit *locked.LimitError
	if errors.As(err, &limit) {
		t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	d, err := NewDesk(session, 1)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Use(t.Context(), func(text, key []byte) error {
		if len(text) != MaxText+1 || len(key) != MaxKey {
			t.Errorf("%d bytes of text, %d of key", len(text), len(key))
		}
		text[0], key[0] = 1, 1
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Use(ended, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("no seat is free: %v", err)
		}
		return session.Purge() // does not take the seat from under its user
	})
	if err != nil {
		t.Error(err)
	}
	if err := d.Use(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Use after a purge: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if n := session.Stats().OpenBuffers; n != 0 {
		t.Errorf("%d open buffers", n)
	}
}
