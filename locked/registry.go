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
