package copied

import (
	"sync"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
	"github.com/memkeep/memkeep/locked"
)

type holder struct{ key enclave.Enclave }

func copied(e *enclave.Enclave, list []enclave.Enclave, table map[string]enclave.Enclave, any func(any)) enclave.Enclave {
	assigned := *e           // want `a copy of enclave.Enclave does not work: use a pointer`
	var declared = *e        // want `a copy of enclave.Enclave`
	_ = &holder{key: *e}     // want `a copy of enclave.Enclave`
	list[0] = *e             // want `a copy of enclave.Enclave`
	table["key"] = *e        // want `a copy of enclave.Enclave`
	any(*e)                  // want `a copy of enclave.Enclave`
	for _, e := range list { // want `a copy of enclave.Enclave`
		_ = e.Size()
	}
	_, _ = assigned.Use(nil), declared.Use(nil)
	return *e // want `a copy of enclave.Enclave`
}

func parameter(holder) {} // want `a copy of enclave.Enclave`

func (h holder) receiver() {} // want `a copy of enclave.Enclave`

func others(s *enclave.Session, stream *enclave.Stream, b *locked.Buffer, p *locked.Pool, r *load.Rotating) {
	_, _ = *s, *stream // want `a copy of enclave.Session` `a copy of enclave.Stream`
	_, _ = *b, *p      // want `a copy of locked.Buffer` `a copy of locked.Pool`
	_ = *r             // want `a copy of load.Rotating`
}

func dropIn(b *core.Buffer, s *memguard.Stream) {
	_, _ = *b, *s // want `a copy of core.Buffer` `a copy of memguard.Stream`
}

// Pointers are copied, and what holds pointers: a key, a text, a buffer of the drop-in.
// Other locks are for go vet without this tool.
func clean(e *enclave.Enclave, list []*enclave.Enclave, k *keys.PrivateKey, m *keys.MAC, t enclave.Text, b *memguard.LockedBuffer, mu *sync.Mutex) {
	same := e
	for _, e := range list {
		same = e
	}
	key, mac, text, buffer := *k, *m, t, *b
	zero := holder{}
	lock := *mu
	_, _, _, _, _, _, _ = same, key, mac, text, buffer, &zero, &lock
}
