package dropin

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"testing"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// account is how programs have secrets in what they save.
type account struct {
	Name     string
	Password *memguard.Enclave
	Session  *memguard.LockedBuffer
	Inner    *core.Enclave `xml:",omitempty"`
	Key      *core.Coffer  `xml:",omitempty"`
	Value    memguard.Enclave
}

func TestStructuresThatWereSavedAreReadBackWithoutTheirSecrets(t *testing.T) {
	together(t)
	buffer := memguard.NewBufferFromBytes(secret(8))
	defer buffer.Destroy()
	e := memguard.NewEnclave(secret(32))
	full := account{"a", e, buffer, e.Enclave, new(core.Coffer), *e}
	saved, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	for what, raw := range map[string]string{
		"saved here":        string(saved),
		"saved by memguard": `{"Name":"a","Password":{},"Session":{},"Inner":{},"Key":{},"Value":{}}`,
		"null":              `{"Name":"a","Password":null,"Session":null,"Inner":null,"Key":null,"Value":null}`,
		"empty":             `{"Name":"a","Password":"","Session":"","Inner":"","Key":"","Value":""}`,
	} {
		var got account
		if err := json.Unmarshal([]byte(raw), &got); err != nil || got.Name != "a" {
			t.Errorf("%s: %v", what, err)
		}
		if got.Password != nil && got.Password.Enclave != nil || got.Session != nil && got.Session.Buffer != nil || got.Value.Enclave != nil {
			t.Errorf("%s: %+v is not empty", what, got)
		}
	}
	inXML, err := xml.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var got account
	if err := xml.Unmarshal(inXML, &got); err != nil || got.Name != "a" {
		t.Errorf("XML: %v", err)
	}
	// A living secret that is read into stays.
	if err := json.Unmarshal(saved, &full); err != nil || full.Password.Size() != 32 || !full.Session.IsAlive() {
		t.Errorf("read into a living one: %v", err)
	}
	// What is no saved value must not become one, nor pass for one.
	for _, raw := range []string{`{"Password":"hunter2"}`, `{"Session":"hunter2"}`, `{"Password":7}`, `{"Key":"hunter2"}`, `{"Password":["x"]}`} {
		if err := json.Unmarshal([]byte(raw), &account{}); err == nil {
			t.Errorf("%s was taken for a saved value", raw)
		}
	}
}

// sealed and open are how some programs give a secret methods of their own.
type (
	sealed struct {
		*memguard.Enclave
		ID string
	}
	open struct {
		*memguard.LockedBuffer
		ID string
	}
	keyFile struct{ *memguard.Enclave }
)

func (k *keyFile) String() string {
	b, err := k.Open()
	if err != nil {
		return err.Error()
	}
	defer b.Destroy()
	return fmt.Sprintf("key=%X", b.Bytes())
}

func TestAStructureThatEmbedsASecretKeepsItsOwnString(t *testing.T) {
	together(t)
	k := &keyFile{memguard.NewEnclave([]byte{1, 2, 3})}
	if text := fmt.Sprint(k); text != "key=010203" {
		t.Error(text)
	}
}

// What is nil there must not end the program, and fields must not be lost in silence.
func TestAStructureThatEmbedsASecretIsEncodedAndRefused(t *testing.T) {
	together(t)
	for _, v := range []any{sealed{ID: "x"}, &sealed{ID: "x"}, open{ID: "x"}, &open{ID: "x"}} {
		if text, err := json.Marshal(v); err != nil || string(text) != `"[REDACTED 0 bytes]"` {
			t.Errorf("%T: %s, %v", v, text, err)
		}
		if _, err := xml.Marshal(v); err != nil {
			t.Errorf("%T: %v", v, err)
		}
		_ = fmt.Sprint(v) // fmt catches a panic
	}
	living := &sealed{memguard.NewEnclave(secret(8)), "x"}
	for _, v := range []any{new(sealed), new(open), living} {
		if err := json.Unmarshal([]byte(`{"ID":"y"}`), v); err == nil {
			t.Errorf("%T: the other fields are lost", v)
		}
		if err := json.Unmarshal([]byte("{}"), v); err != nil {
			t.Errorf("%T: %v", v, err)
		}
	}
}
