package bearer

import (
	"bytes"
	"net/http/httptrace"
	"runtime"
	"testing"
	"time"
)

// The value is wiped when RoundTrip is over and the header is written, whichever comes
// last, and not before.
func TestTheValueIsWipedOnceNobodyReadsIt(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]string{
		"usual":                            "gwr",
		"never found a connection":         "r",
		"answered before it was written":   "grw",
		"cancelled, then failed to write":  "gre",
		"tried again":                      "gegwr",
		"tried again, and answered early":  "gegrw",
		"written, then failed in the body": "gwer",
	} {
		v := &value{bytes: []byte("token")}
		header, trace := v.string(), v.trace()
		held := []string{header}
		for i, step := range steps {
			if header != "token" {
				t.Errorf("%s: wiped after %q", name, steps[:i])
			}
			switch step {
			case 'g':
				trace.GotConn(httptrace.GotConnInfo{})
			case 'w':
				trace.WroteHeaders()
			case 'e':
				trace.WroteRequest(httptrace.WroteRequestInfo{})
			case 'r':
				v.returned(held)
			}
		}
		if header != "\x00\x00\x00\x00\x00" {
			t.Errorf("%s: the value is %q", name, header)
		}
		runtime.KeepAlive(held) // or it could be wiped without the last step
	}
}

// Nothing tells of a connection that never writes the header.
func TestTheValueOfAHeaderThatIsNeverWrittenIsWipedWithIt(t *testing.T) {
	t.Parallel()
	v := &value{bytes: []byte("token")}
	header := []string{v.string()}
	v.trace().GotConn(httptrace.GotConnInfo{})
	v.returned(header)
	runtime.GC()
	v.note(func() {
		if string(v.bytes) != "token" {
			t.Errorf("wiped while a connection has the header: %q", v.bytes)
		}
	})
	runtime.KeepAlive(header)
	for deadline, wiped := time.Now().Add(time.Minute), false; !wiped; {
		runtime.GC()
		v.note(func() { wiped = bytes.Equal(v.bytes, make([]byte, 5)) })
		if time.Now().After(deadline) {
			t.Fatalf("the value is %q", v.bytes)
		}
	}
}
