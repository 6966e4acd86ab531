// Package keyring holds signing keys by name.
package keyring

import (
	"errors"
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
)

// Errors of names.
var (
	ErrExists   = errors.New("a key of that name exists")
	ErrNotFound = errors.New("no key of that name exists")
	ErrManaged  = errors.New("the key follows a file: remove it there")
)

// A Ring is a set of keys by name, kept in order, so that a page of the list
// costs what is on it, however many keys there are. It is safe for concurrent use.
type Ring struct {
	in keys.Session

	mu     sync.RWMutex // protects what follows, for moments only
	byName btree.Map[string, *Key]
	count  map[Type]int
	bytes  int // of all secrets
}

// New returns an empty ring, whose keys' secrets are in the session's enclaves.
func New(session *enclave.Session) *Ring { return &Ring{in: keys.In(session)} }

// Add enters a key. If the name is taken the error is ErrExists, and the key
// stays the caller's.
func (r *Ring) Add(name string, k *Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.byName.Get(name); ok {
		return ErrExists
	}
	if r.count == nil {
		r.count = map[Type]int{}
	}
	r.set(name, k)
	return nil
}

// set enters a key. The caller holds mu.
func (r *Ring) set(name string, k *Key) {
	r.byName.Set(name, k)
	r.count[k.Type()]++
	r.bytes += k.Size()
}

// unset takes a key out and destroys it. The caller holds mu.
func (r *Ring) unset(name string, k *Key) {
	r.byName.Delete(name)
	r.count[k.Type()]--
	r.bytes -= k.Size()
	k.Destroy()
}

// AddManaged is Add for a key that [Ring.Replace] and [Ring.DeleteManaged] change,
// and [Ring.Delete] does not.
func (r *Ring) AddManaged(name string, k *Key) error {
	k.managed = true
	return r.Add(name, k)
}

// Replace puts k in the place of a managed key, and destroys that. Signatures that
// are under way finish, and those that begin with the old one go on with the new
// one: see [Ring.Use].
func (r *Ring) Replace(name string, k *Key) error {
	k.managed = true
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.byName.Get(name)
	if !ok || !old.managed {
		return ErrNotFound
	}
	// First the new one, so that whoever finds the old one destroyed finds this.
	r.set(name, k)
	r.count[old.Type()]--
	r.bytes -= old.Size()
	old.Destroy()
	return nil
}

// Use calls fn with the key of that name, or returns [ErrNotFound]. If the key is
// replaced meanwhile, so that fn fails, Use calls it again with the new one.
func (r *Ring) Use(name string, fn func(*Key) error) error {
	k, err := r.Get(name)
	if err != nil {
		return err
	}
	for {
		err := fn(k)
		if !errors.Is(err, enclave.ErrDestroyed) {
			return err
		}
		next, missing := r.Get(name)
		if missing != nil || next == k {
			return err
		}
		k = next
	}
}

// Get returns the key of that name, or ErrNotFound.
func (r *Ring) Get(name string) (*Key, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if k, ok := r.byName.Get(name); ok {
		return k, nil
	}
	return nil, ErrNotFound
}

// Delete takes the key of that name out and destroys it, unless it is managed.
func (r *Ring) Delete(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.byName.Get(name)
	switch {
	case !ok:
		return ErrNotFound
	case k.managed:
		return ErrManaged
	}
	r.unset(name, k)
	return nil
}

// DeleteManaged takes a managed key out, if there is one of that name, and destroys
// it.
func (r *Ring) DeleteManaged(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.byName.Get(name); ok && k.managed {
		r.unset(name, k)
	}
}

// An Entry is one key of a list.
type Entry struct {
	Name string
	Key  *Key
}

// List returns up to limit keys whose names begin with prefix, in the order of
// their names, from the first after the name after. more says that there are
// others behind them.
func (r *Ring) List(prefix, after string, limit int) (page []Entry, more bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.byName.Ascend(max(prefix, after), func(name string, k *Key) bool {
		switch {
		case !strings.HasPrefix(name, prefix):
			return false
		case after != "" && name == after:
			return true
		case len(page) == limit:
			more = true
			return false
		}
		page = append(page, Entry{name, k})
		return true
	})
	return page, more
}

// First returns the first key of a type, in the order of their names; nil if
// there is none.
func (r *Ring) First(t Type) (name string, k *Key) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.byName.Scan(func(n string, found *Key) bool {
		if found.Type() != t {
			return true
		}
		name, k = n, found
		return false
	})
	return name, k
}

// Count is how many keys of each type there are, and the size of their secrets.
type Count struct {
	Keys  map[Type]int
	Total int
	Bytes int
}

// Count counts the keys.
func (r *Ring) Count() Count {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c := Count{Keys: map[Type]int{}, Total: r.byName.Len(), Bytes: r.bytes}
	for _, t := range []Type{HMACSHA256, Ed25519} {
		c.Keys[t] = r.count[t]
	}
	return c
}
