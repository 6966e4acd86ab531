package enclave_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// settings is how a program has secrets in its configuration.
type settings struct {
	User     string
	Password enclave.Text
}

func TestTextIsFilledByDecoders(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, smallest())
	var fromFlag enclave.Text
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.TextVar(&fromFlag, "password", enclave.Text{}, "")
	var fromJSON, fromXML settings
	raw := []byte(`{"User":"u","Password":"correct horse"}`)
	err := errors.Join(json.Unmarshal(raw, &fromJSON),
		xml.Unmarshal([]byte("<settings><Password>correct horse</Password></settings>"), &fromXML),
		flags.Parse([]string{"-password", "correct horse"}))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]enclave.Text{"JSON": fromJSON.Password, "XML": fromXML.Password, "flag": fromFlag} {
		if err := text.Use(holds([]byte("correct horse"))); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := fmt.Sprintf("%v %+v", text, settings{Password: text}); strings.Contains(got, "horse") || !strings.Contains(got, "[REDACTED 13 bytes]") {
			t.Errorf("%s prints %s", what, got)
		}
	}
	if strings.Contains(string(raw), "horse") {
		t.Error("the text is not wiped")
	}
}

func TestTextRefusesItsOwnRedactionAndNothing(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, smallest())
	var s settings
	if err := json.Unmarshal([]byte(`{"Password":"correct horse"}`), &s); err != nil {
		t.Fatal(err)
	}
	saved, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(saved, &s); !errors.Is(err, enclave.ErrRedacted) {
		t.Errorf("read back from %s: %v", saved, err)
	}
	if err := json.Unmarshal([]byte(`{"Password":""}`), &s); !errors.Is(err, enclave.ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
	// What was there before is still there.
	if err := s.Password.Use(holds([]byte("correct horse"))); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]error{
		"[REDACTED 7 bytes]": enclave.ErrRedacted, " [REDACTED 0 bytes]\n": enclave.ErrRedacted,
		"[REDACTED bytes]": nil, "[REDACTED 7 bytes": nil, "[REDACTED x bytes]": nil, "x": nil,
	} {
		var got enclave.Text
		if err := got.UnmarshalText([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	var never enclave.Text
	if err := never.Use(func([]byte) error { return nil }); !errors.Is(err, enclave.ErrDestroyed) {
		t.Errorf("a text that was never set: %v", err)
	}
	if _, err := fmt.Fprint(io.Discard, never, &never); err != nil {
		t.Error(err)
	}
}
