// Package redact formats secrets as their size alone, whatever the verb or the encoder.
package redact

import (
	"bytes"
	"fmt"
	"log/slog"
	"strconv"
)

// A Secret prints as "[REDACTED n bytes]" where n is its value. A type that
// holds a secret forwards its fmt.Formatter, fmt.Stringer, fmt.GoStringer,
// slog.LogValuer and encoding.TextMarshaler methods to it; encoding/json uses
// the last one.
type Secret int

// String returns the redacted text.
func (s Secret) String() string {
	return "[REDACTED " + strconv.Itoa(int(s)) + " bytes]"
}

// Format writes the redacted text for every verb and flag: %x of a secret
// must not be its bytes, and %d not its addresses.
func (s Secret) Format(f fmt.State, _ rune) {
	// A printer that can't write has nowhere to report it either.
	_, _ = f.Write([]byte(s.String()))
}

// LogValue returns the redacted text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns the redacted text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Is reports whether text is a printed Secret.
func Is(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte("[REDACTED "))
	digits, end := bytes.CutSuffix(rest, []byte(" bytes]"))
	return ok && end && len(digits) > 0 && len(bytes.Trim(digits, "0123456789")) == 0
}
