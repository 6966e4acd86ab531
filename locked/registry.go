package locked

// A registry is a list of open buffers. The pool's mu protects it.
type registry struct {
	first *Buffer
	n     int
}

func (r *registry) add(b *Buffer) {
	if b.next = r.first; b.next != nil {
		b.next.prev = b
	}
	r.first = b
	r.n++
}

func (r *registry) remove(b *Buffer) {
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		r.first = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	}
	b.prev, b.next = nil, nil
	r.n--
}

func (r *registry) all() []*Buffer {
	all := make([]*Buffer, 0, r.n)
	for b := r.first; b != nil; b = b.next {
		all = append(all, b)
	}
	return all
}

// registryOf is where the buffer of a slot is entered.
func (p *Pool) registryOf(s *slot) *registry {
	once := s.kind
	once.dual = false
	if p.store.charge(s.kind) > p.store.charge(once) {
		return &p.open[1]
	}
	return &p.open[0]
}

func (p *Pool) register(b *Buffer) { p.registryOf(b.slot).add(b) }

func (p *Pool) unregister(b *Buffer, s *slot) { p.registryOf(s).remove(b) }

// halveOne has one open buffer, whose slot counts twice, give up the mapping that
// it can do without, and reports whether one did. One that a call is busy with is
// left alone.
func (p *Pool) halveOne() bool {
	b := p.lockHalvable()
	if b == nil {
		return false
	}
	defer b.mu.Unlock()
	// A purge finds it throughout, and waits for its lock.
	before := p.registryOf(b.slot)
	if p.store.halve(b.slot) != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before.remove(b)
	p.register(b)
	return true
}

// lockHalvable returns an open buffer that counts twice and that no call is busy
// with, with its lock held, or nil.
func (p *Pool) lockHalvable() *Buffer {
	p.mu.Lock()
	defer p.mu.Unlock()
	for b := p.open[1].first; b != nil; b = b.next {
		if !b.mu.TryLock() {
			continue
		}
		if b.alive() && b.users == 0 {
			return b
		}
		b.mu.Unlock()
	}
	return nil
}
