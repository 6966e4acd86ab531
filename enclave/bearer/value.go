package bearer

import (
	"net/http/httptrace"
	"sync"
	"unsafe"

	"github.com/memkeep/memkeep/internal/wipe"
)

// A value is the value of a header, which is wiped once nobody reads it any more.
//
// RoundTrip may return while the header is still to be written: of a request that
// was cancelled, or that the server answered early. So the value is wiped when both
// are over, in whichever order. If a connection was found and broke before it wrote
// anything, nothing tells, and the collector frees what it did not wipe.
type value struct {
	bytes []byte

	mu      sync.Mutex // protects what follows
	writing bool       // a connection has the request, and has not written the header
	over    bool       // RoundTrip has returned
}

// string returns the value without a copy of it: wipe changes what the string
// holds. That is safe because the header is in no other place than the request
// that is written: the caller never sees that request, and HTTP/2 has no table to
// keep the header in.
func (v *value) string() string { return unsafe.String(unsafe.SliceData(v.bytes), len(v.bytes)) }

// trace returns what tells when the header is written. Where net/http tries again,
// it says so by another connection.
func (v *value) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { v.note(func() { v.writing = true }) },
		WroteHeaders: func() { v.note(func() { v.writing = false }) },
		WroteRequest: func(httptrace.WroteRequestInfo) { v.note(func() { v.writing = false }) },
	}
}

func (v *value) returned() { v.note(func() { v.over = true }) }

// note changes the state, and wipes the value if it is not needed any more.
func (v *value) note(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	if v.over && !v.writing {
		wipe.Bytes(v.bytes)
	}
}
