package bearer

import (
	"net/http/httptrace"
	"testing"
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
				v.returned()
			}
		}
		if header != "\x00\x00\x00\x00\x00" {
			t.Errorf("%s: the value is %q", name, header)
		}
	}
}
