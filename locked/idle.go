package locked

// idleSlots holds the slots that nobody has in hand, but for those among the
// stripes and the spare. The pool's mu protects it.
type idleSlots struct {
	small, page freeList // small use slots, and buffers of one page
	larger      map[slotKind]*freeList
}

// A freeList is a queue of idle slots of one kind: the one that came back first is
// used first. The slots are its links, so that nothing is allocated.
type freeList struct {
	first, last *slot
	n           int
}

// of returns the list of kind k.
func (i *idleSlots) of(k slotKind) *freeList {
	switch {
	case k.small():
		return &i.small
	case k.pages == 1:
		return &i.page
	}
	l := i.larger[k]
	if l == nil {
		if i.larger == nil {
			i.larger = make(map[slotKind]*freeList)
		}
		l = new(freeList)
		i.larger[k] = l
	}
	return l
}

// others yields the lists of all kinds but small use slots.
func (i *idleSlots) others(yield func(*freeList) bool) {
	if !yield(&i.page) {
		return
	}
	for _, l := range i.larger {
		if !yield(l) {
			return
		}
	}
}

// len returns how many slots are idle, of all kinds.
func (i *idleSlots) len() int {
	n := i.small.n
	for l := range i.others {
		n += l.n
	}
	return n
}

// drop takes out the slots that gone chooses, and returns them.
func (i *idleSlots) drop(gone func(*slot) bool) []*slot {
	dropped := i.small.drop(gone)
	for l := range i.others {
		dropped = append(dropped, l.drop(gone)...)
	}
	for k, l := range i.larger {
		if l.n == 0 {
			delete(i.larger, k)
		}
	}
	return dropped
}

func (l *freeList) push(s *slot) {
	if l.last == nil {
		l.first = s
	} else {
		l.last.next = s
	}
	l.last = s
	l.n++
}

// pop returns the slot that came back first, or nil.
func (l *freeList) pop() *slot {
	s := l.first
	if s == nil {
		return nil
	}
	l.first, s.next = s.next, nil
	if l.first == nil {
		l.last = nil
	}
	l.n--
	return s
}

func (l *freeList) drop(gone func(*slot) bool) []*slot {
	var dropped []*slot
	for range l.n {
		if s := l.pop(); gone(s) {
			dropped = append(dropped, s)
		} else {
			l.push(s)
		}
	}
	return dropped
}
