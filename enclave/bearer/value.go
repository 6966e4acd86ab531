package bearer

import (
	"context"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/memkeep/memkeep/internal/wipe"
)

// A value is the value of a header, which is wiped once nobody reads it any more.
//
// RoundTrip may return while the header is still to be written: of a request that
// was cancelled, or that the server answered early. So the value is wiped when both
// are over, in whichever order. Nothing reports a connection that never writes the
// header: one that breaks before, or HTTP/2 of a request that is too large for the
// server, or cancelled while it waits for others. Then the value is wiped when the
// collector finds that nobody has the header any more.
type value struct {
	bytes []byte

	mu      sync.Mutex // protects what follows
	writing bool       // a connection has the request, and has not written the header
	over    bool       // RoundTrip has returned
}

// string returns the value without a copy of it: wipe changes what the string
// holds. That is safe because the header is in no other place than the request
// that is written: the caller never sees that request, nor do its traces see the
// header, and HTTP/2 has no table to keep the header in. What chooses a proxy for
// Config.Base is shown the request, and must not keep it.
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

// withoutHeader returns ctx with its trace, which is not told of the header.
func withoutHeader(ctx context.Context, header string) context.Context {
	old := httptrace.ContextClientTrace(ctx)
	if old == nil || old.WroteHeaderField == nil {
		return ctx
	}
	trace := *old
	trace.WroteHeaderField = func(key string, value []string) {
		if !strings.EqualFold(key, header) {
			old.WroteHeaderField(key, value)
		}
	}
	return httptrace.WithClientTrace(untraced{ctx}, &trace)
}

// untraced is a context without its trace, to which WithClientTrace would add.
type untraced struct{ context.Context }

func (u untraced) Value(key any) any {
	value := u.Context.Value(key)
	if _, is := value.(*httptrace.ClientTrace); is {
		return nil
	}
	return value
}

// returned notes that RoundTrip has returned. The header is what held the value.
func (v *value) returned(header []string) {
	v.note(func() {
		v.over = true
		if v.writing {
			runtime.AddCleanup(&header[0], (*value).forgotten, v)
		}
	})
}

func (v *value) forgotten() { v.note(func() { v.writing = false }) }

// note changes the state, and wipes the value if it is not needed any more.
func (v *value) note(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	if v.over && !v.writing {
		wipe.Bytes(v.bytes)
	}
}
