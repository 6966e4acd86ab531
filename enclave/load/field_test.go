package load_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
)

func sealed(t testing.TB, l load.Loader, text string) *enclave.Enclave {
	t.Helper()
	e, err := l.Session.New([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestFieldReturnsOneStringOfJSON(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	for _, c := range []struct {
		text string
		path []string
		want string
	}{
		{`{"password":"abc"}`, []string{"password"}, "abc"},
		{" {\"a\" : 1 , \"b\":\t[true,false,null,-1.5e+7,\"x\",{}], \"password\"\n:\r\n\"abc\" } \n", []string{"password"}, "abc"},
		{`{"a":{"b":[{"c":"x"},{"c":"abc"}]}}`, []string{"a", "b", "1", "c"}, "abc"},
		{`{"a":"x","A":"abc"}`, []string{"A"}, "abc"},
		{`{"a":"\"\\\/\b\f\n\r\t"}`, []string{"a"}, "\"\\/\b\f\n\r\t"},
		{`{"a":"\u0061\u00e9\u20ac\ud83d\ude00é€😀"}`, []string{"a"}, "aé€😀é€😀"},
		{`{"\u0061":"abc"}`, []string{"a"}, "abc"},
		{`{"":"abc"}`, []string{""}, "abc"},
		{`"abc"`, nil, "abc"},
		{`["abc"]`, []string{"0"}, "abc"},
		{`{"a":"abc\n"}`, []string{"a"}, "abc"}, // a line end is a line end
	} {
		e := sealed(t, l, c.text)
		got, err := l.Field(t.Context(), e, c.path...)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		holds(t, got, err, []byte(c.want))
		holds(t, e, nil, []byte(c.text))
	}
}

func TestAFieldThatIsNotOneStringIsRefused(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	for text, want := range map[string]error{
		`{"b":"` + content + `"}`:             load.ErrNoField,
		`{"a":1,"b":"` + content + `"}`:       load.ErrNoField,
		`{"a":{"a":"` + content + `"}}`:       load.ErrNoField,
		`{"a":null}`:                          load.ErrNoField,
		`{"a":"x","a":"` + content + `"}`:     load.ErrNoField,
		`["` + content + `"]`:                 load.ErrNoField,
		`{"a":""}`:                            enclave.ErrEmpty,
		``:                                    enclave.ErrEmpty,
		`{"a":"` + content:                    load.ErrSyntax,
		`{"a":"` + content + `"`:              load.ErrSyntax,
		`{"a":"` + content + `"}}`:            load.ErrSyntax,
		`{"a":"` + content + `"} x`:           load.ErrSyntax,
		`{"a":"` + content + `",}`:            load.ErrSyntax,
		`{"a" "` + content + `"}`:             load.ErrSyntax,
		`{a:"` + content + `"}`:               load.ErrSyntax,
		`{"a":"` + content + `\x"}`:           load.ErrSyntax,
		`{"a":"` + content + `\ud83d"}`:       load.ErrSyntax,
		`{"a":"` + content + `\ud83d\u0061"}`: load.ErrSyntax,
		`{"a":"` + content + `\u12"}`:         load.ErrSyntax,
		`{"a":"` + content + "\xff\"}":        load.ErrSyntax, // not UTF-8
		`{"a":"` + content + "\n\"}":          load.ErrSyntax,
		`{"a":` + content + `}`:               load.ErrSyntax,
		`{"a":01}`:                            load.ErrSyntax,
		`{"a":1.}`:                            load.ErrSyntax,
		`{"a":1e}`:                            load.ErrSyntax,
		`{"a":-}`:                             load.ErrSyntax,
		`{"a":tru}`:                           load.ErrSyntax,
		content:                               load.ErrSyntax,
		"\ufeff{}":                            load.ErrSyntax,
		strings.Repeat("[", 102) + strings.Repeat("]", 102): load.ErrSyntax,
	} {
		if text == "" {
			continue // there is no such enclave
		}
		got, err := l.Field(t.Context(), sealed(t, l, text), "a")
		refused(t, got, err, want, "field")
	}
	gone := sealed(t, l, `{"a":"b"}`)
	gone.Destroy()
	for _, e := range []*enclave.Enclave{gone, nil} {
		if got, err := l.Field(t.Context(), e, "a"); got != nil || err == nil {
			t.Errorf("a field of a destroyed enclave: %v, %v", got, err)
		}
	}
}

func FuzzFieldAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{`{"a":"b"}`, `{"a":"\u00e9\ud83d\ude00\n"}`, `{"b":[1,2,{"a":"x"}],"a":"y"}`, `{"a":1}`, `{"a":"x"`, `[[[[]]]]`, "{\"a\":\"\xff\"}"} {
		f.Add(seed)
	}
	l := newLoader(f)
	l.KeepLineEnd = true
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" || len(text) > 1000 {
			return
		}
		got, err := l.Field(t.Context(), sealed(t, l, text), "a")
		var fields map[string]any
		jsonErr := json.Unmarshal([]byte(text), &fields)
		if err == nil {
			want, ok := fields["a"].(string)
			if jsonErr != nil || !ok {
				t.Fatalf("Field accepts what encoding/json refuses: %v", jsonErr)
			}
			holds(t, got, nil, []byte(want))
		} else if jsonErr != nil && !errors.Is(err, load.ErrSyntax) && json.Valid([]byte(text)) == false {
			t.Fatalf("%v, encoding/json says %v", err, jsonErr)
		}
	})
}

func block(kind string, der []byte, headers map[string]string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der, Headers: headers}))
}

func TestPEMReturnsWhatOneBlockHolds(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	der := make([]byte, 0, 300)
	for i := range 300 {
		der = append(der, byte(i*i+7))
	}
	for n := range 300 {
		der := append(der[:n:n], '\n') // no line end of the secret's
		for _, kind := range []string{"PRIVATE KEY", "EC PRIVATE KEY"} {
			text := "a comment\n" + block("CERTIFICATE", []byte("x"), nil) + block(kind, der, nil) + block("CERTIFICATE", []byte("y"), nil)
			if n%2 == 1 {
				text = strings.ReplaceAll(text, "\n", "\r\n")
			}
			got, err := l.PEM(t.Context(), sealed(t, l, text), "PRIVATE KEY")
			holds(t, got, err, der)
			got, err = l.PEM(t.Context(), sealed(t, l, text), kind)
			holds(t, got, err, der)
		}
	}
	got, err := l.PEM(t.Context(), sealed(t, l, block("PRIVATE KEY", der, map[string]string{"Comment": "x"})), "PRIVATE KEY")
	holds(t, got, err, der)
}

func TestAPEMBlockThatIsNotTheOneIsRefused(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	key := block("PRIVATE KEY", []byte(content), nil)
	for text, want := range map[string]error{
		"x": load.ErrNoField,
		block("CERTIFICATE", []byte(content), nil):           load.ErrNoField,
		block("ENCRYPTED PRIVATE KEY", []byte(content), nil): load.ErrNoField,
		key + key: load.ErrNoField,
		key[:40]:  load.ErrSyntax,
		strings.Replace(key, "-----END PRIVATE", "-----END PUBLIC", 1):                       load.ErrSyntax,
		strings.Replace(key, "=", "", 1):                                                     load.ErrSyntax,
		strings.Replace(key, "Y2", "Y-", 1):                                                  load.ErrSyntax,
		strings.Replace(key, "Y2", "=Y", 1):                                                  load.ErrSyntax,
		block("PRIVATE KEY", []byte(content), map[string]string{"Proc-Type": "4,ENCRYPTED"}): load.ErrSyntax,
		block("PRIVATE KEY", nil, nil):                                                       enclave.ErrEmpty,
	} {
		got, err := l.PEM(t.Context(), sealed(t, l, text), "PRIVATE KEY")
		if !errors.Is(err, want) {
			t.Errorf("%q", text)
		}
		refused(t, got, err, want, "PEM")
	}
}

func FuzzPEMAgreesWithEncodingPEM(f *testing.F) {
	f.Add([]byte("x"), "k", "before")
	f.Add([]byte(content), "EC PRIVATE KEY", "\n\n")
	l := newLoader(f)
	f.Fuzz(func(t *testing.T, der []byte, kind, before string) {
		text := before + "\n" + block(kind, der, nil)
		if len(text) > 2000 || len(der) == 0 || kind == "" {
			return // nothing to find
		}
		got, err := l.PEM(t.Context(), sealed(t, l, text), kind)
		first, rest := pem.Decode([]byte(text))
		if first == nil || first.Type != kind || len(bytes.TrimSpace(rest)) > 0 || strings.Contains(before, "-----") {
			return // another block; it did not panic
		}
		if !bytes.Equal(first.Bytes, der) {
			return
		}
		if err != nil {
			t.Fatal(fmt.Errorf("%w: %q", err, text))
		}
		holds(t, got, nil, der)
	})
}
