package intake

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Errors of texts that are no key. Their messages never repeat the text, which
// may be a key in the wrong place.
var (
	ErrSyntax    = errors.New("not a JSON object of strings")
	ErrField     = errors.New("wrong field")
	ErrName      = errors.New("bad name")
	ErrBase64    = errors.New("the key is not base64")
	ErrKeyTooBig = errors.New("the key is too long")
	ErrEmptyKey  = errors.New("the key is empty")
)

// MaxName is the longest name of a key, in bytes.
const MaxName = 128

// A Record is what one text says of a key.
type Record struct {
	Name   string
	Type   string
	HasKey bool
	Key    []byte // a part of the memory given to Parse; nil without HasKey
}

// Parse reads a JSON object with the fields name, type and key, each a string,
// the key in standard base64. It unescapes strings where they lie, so text does
// not survive it, and decodes the key into room, which must not overlap text.
//
// It is stricter than encoding/json: names of fields are case-sensitive, and
// unknown and duplicate fields, invalid UTF-8 and lone surrogates are refused.
func Parse(text, room []byte) (Record, error) {
	var fields [len(fieldNames)][]byte
	if err := parseObject(text, &fields); err != nil {
		return Record{}, err
	}
	name, typ, key := fields[0], fields[1], fields[2]
	if name == nil || typ == nil {
		return Record{}, fmt.Errorf("%w: name and type are required", ErrField)
	}
	if err := CheckName(string(name)); err != nil {
		return Record{}, err
	}
	r := Record{Name: string(name), Type: string(typ), HasKey: key != nil}
	if !r.HasKey {
		return r, nil
	}
	var err error
	r.Key, err = decodeKey(key, room)
	return r, err
}

// CheckName says whether a key may have that name.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > MaxName:
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrName, len(name), MaxName)
	case name == "." || name == "..":
		return fmt.Errorf("%w: it means something else in a URL", ErrName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: not UTF-8", ErrName)
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: control characters are not allowed", ErrName)
		}
	}
	return nil
}

// decodeKey decodes base64 into room, and returns the part of it that it used.
func decodeKey(encoded, room []byte) ([]byte, error) {
	if len(encoded) == 0 {
		return nil, ErrEmptyKey
	}
	// The decoder skips line breaks. A key has none.
	if bytes.ContainsAny(encoded, "\r\n") {
		return nil, fmt.Errorf("%w: it has line breaks", ErrBase64)
	}
	// DecodedLen takes padding for data: up to two bytes too many. What is too
	// long is told from its length, since decoding would overrun the room.
	padding := len(encoded) - len(bytes.TrimRight(encoded, "="))
	size := base64.StdEncoding.DecodedLen(len(encoded)) - min(padding, 2)
	if size > len(room) {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrKeyTooBig, len(room))
	}
	n, err := base64.StdEncoding.Strict().Decode(room, encoded)
	if err != nil {
		clear(room)
		return nil, ErrBase64
	}
	return room[:n], nil
}
