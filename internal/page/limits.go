package page

import "math"

// Unlimited is the value of no limit.
const Unlimited = math.MaxUint64

// Limits describes what the system lets this process lock, in bytes.
type Limits struct {
	Soft uint64 // in force
	Hard uint64 // up to which the process may raise Soft by itself
	// Exempt says that the process may lock beyond any limit (CAP_IPC_LOCK on
	// Linux).
	Exempt bool
	// RaisedAsLocked reports that backends raise Soft towards Hard as they lock
	// (Windows).
	RaisedAsLocked bool
}

// InReach returns how many bytes can be locked as things are: what the limit in force
// allows, or what a backend may raise it to.
func (l Limits) InReach() uint64 {
	switch {
	case l.Exempt:
		return Unlimited
	case l.RaisedAsLocked:
		return max(l.Soft, l.Hard)
	}
	return l.Soft
}

// Lockable returns how many bytes can be locked once the soft limit is raised
// to the hard one.
func (l Limits) Lockable() uint64 {
	if l.Exempt {
		return Unlimited
	}
	return max(l.Soft, l.Hard)
}
