package dropin

import (
	"encoding/json"
	"encoding/xml"
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
