package load

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonString returns the string in a JSON text that the path of names leads to;
// in an array a name is an index. The text must be well-formed to its end. The
// string is decoded over its own escapes, which are never shorter: so the result
// is part of text, and no byte of it was elsewhere.
func jsonString(text []byte, path []string) ([]byte, error) {
	s := &scanner{text: text}
	if err := s.value(path, 0); err != nil {
		return nil, err
	}
	if s.space(); s.at != len(text) {
		return nil, s.malformed("something follows the value")
	}
	switch {
	case s.found == 0:
		return nil, ErrNoField
	case s.found > 1:
		return nil, fmt.Errorf("%w: it is there %d times", ErrNoField, s.found)
	case s.kind != '"':
		return nil, fmt.Errorf("%w: it is not a string", ErrNoField)
	}
	return s.result, nil
}

// A scanner reads JSON once, from the start to the end.
type scanner struct {
	text   []byte
	at     int
	found  int    // values at the end of the path
	kind   byte   // the first character of the last one
	result []byte // its value, if it is a string
}

// maxDepth is how deep values may nest: no configuration comes near, and the
// stack stays small.
const maxDepth = 100

// malformed says where the text is wrong, and not what stands there.
func (s *scanner) malformed(why string) error {
	return fmt.Errorf("%w: JSON, byte %d: %s", ErrSyntax, s.at+1, why)
}

// value reads a value. path leads from here to the wanted one; nil if that is not
// within.
func (s *scanner) value(path []string, depth int) error {
	if depth > maxDepth {
		return s.malformed("nested too deep")
	}
	if s.space(); s.at == len(s.text) {
		return s.malformed("a value is missing")
	}
	kind := s.text[s.at]
	wanted := path != nil && len(path) == 0
	if wanted {
		s.found++
		s.kind = kind
	}
	switch kind {
	case '{':
		return s.object(path, depth)
	case '[':
		return s.array(path, depth)
	case '"':
		value, err := s.string()
		if wanted {
			s.result = value
		}
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

// step returns the rest of the path behind name, or nil if it leads elsewhere.
func step(path []string, name []byte) []string {
	if len(path) > 0 && path[0] == string(name) {
		return path[1:]
	}
	return nil
}

func (s *scanner) object(path []string, depth int) error {
	s.at++
	for first := true; !s.accept('}'); first = false {
		if !first && !s.accept(',') {
			return s.malformed("a comma or the end of the object is missing")
		}
		s.space()
		name, err := s.string()
		if err != nil {
			return err
		}
		if !s.accept(':') {
			return s.malformed("a colon is missing")
		}
		if err := s.value(step(path, name), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) array(path []string, depth int) error {
	s.at++
	for i := 0; !s.accept(']'); i++ {
		if i > 0 && !s.accept(',') {
			return s.malformed("a comma or the end of the array is missing")
		}
		var rest []string
		if len(path) > 0 {
			rest = step(path, strconv.AppendInt(nil, int64(i), 10))
		}
		if err := s.value(rest, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) word(want string) error {
	if !bytes.HasPrefix(s.text[s.at:], []byte(want)) {
		return s.malformed("not a value")
	}
	s.at += len(want)
	return nil
}

// number reads a number of RFC 8259.
func (s *scanner) number() error {
	s.one("-")
	if !s.one("0") && s.digits() == 0 {
		return s.malformed("not a value")
	}
	if s.one(".") && s.digits() == 0 {
		return s.malformed("not a number")
	}
	if s.one("eE") {
		s.one("+-")
		if s.digits() == 0 {
			return s.malformed("not a number")
		}
	}
	return nil
}

// one skips one of the characters, if it comes next.
func (s *scanner) one(of string) bool {
	if s.at == len(s.text) || strings.IndexByte(of, s.text[s.at]) < 0 {
		return false
	}
	s.at++
	return true
}

func (s *scanner) digits() (n int) {
	for ; s.one("0123456789"); n++ {
	}
	return n
}

func (s *scanner) space() {
	for s.one(" \t\r\n") {
	}
}

// accept skips white space and then c, if that comes next.
func (s *scanner) accept(c byte) bool {
	s.space()
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// string reads a string and decodes it in place.
func (s *scanner) string() ([]byte, error) {
	if s.at == len(s.text) || s.text[s.at] != '"' {
		return nil, s.malformed("a string is missing")
	}
	s.at++
	start, end := s.at, s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			value := s.text[start:end:end]
			if !utf8.Valid(value) {
				return nil, s.malformed("the string before is not UTF-8")
			}
			s.at++
			return value, nil
		case c < ' ':
			return nil, s.malformed("a control character in a string")
		case c == '\\':
			r, ok := s.escape()
			if !ok {
				return nil, s.malformed("a bad escape before")
			}
			end += utf8.EncodeRune(s.text[end:], r)
		default:
			s.text[end] = c
			end++
			s.at++
		}
	}
	return nil, s.malformed("a string does not end")
}

// escape reads an escape sequence, or the two of a surrogate pair.
func (s *scanner) escape() (rune, bool) {
	s.at++
	const escapes, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if s.at == len(s.text) {
		return 0, false
	}
	c := s.text[s.at]
	s.at++
	if c == 'u' {
		return s.unicode()
	}
	i := strings.IndexByte(escapes, c)
	if i < 0 {
		return 0, false
	}
	return rune(meanings[i]), true
}

// unicode reads what follows \u.
func (s *scanner) unicode() (rune, bool) {
	r, ok := s.hex4()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if !s.one(`\`) || !s.one("u") {
		return 0, false
	}
	low, ok := s.hex4()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

// hex4 reads four hexadecimal digits.
func (s *scanner) hex4() (r rune, ok bool) {
	for range 4 {
		if s.at == len(s.text) {
			return 0, false
		}
		switch c := s.text[s.at]; {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
		s.at++
	}
	return r, true
}
