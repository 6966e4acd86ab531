package intake

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// fieldNames are the fields of a record, in the order of Parse's array.
var fieldNames = [...]string{"name", "type", "key"}

// A parser reads JSON and writes the strings' values over their own escapes.
type parser struct {
	text []byte
	at   int
}

// parseObject sets the fields to their values, which are parts of text and not
// nil, if present.
func parseObject(text []byte, fields *[len(fieldNames)][]byte) error {
	p := parser{text: text}
	if !p.take('{') {
		return p.failed("an object is wanted")
	}
	for first := true; !p.take('}'); first = false {
		if !first && !p.take(',') {
			return p.failed("a comma or the object's end is wanted")
		}
		if err := p.field(fields); err != nil {
			return err
		}
	}
	p.space()
	if p.at != len(p.text) {
		return p.failed("something follows the object")
	}
	return nil
}

// field reads one field and its value.
func (p *parser) field(fields *[len(fieldNames)][]byte) error {
	name, err := p.string()
	if err != nil {
		return err
	}
	if !p.take(':') {
		return p.failed("a colon is wanted")
	}
	value, err := p.string()
	if err != nil {
		return err
	}
	for i, want := range fieldNames {
		if string(name) != want {
			continue
		}
		if fields[i] != nil {
			return fmt.Errorf("%w: %s is there twice", ErrField, want)
		}
		fields[i] = value
		return nil
	}
	return fmt.Errorf("%w: only name, type and key are known", ErrField)
}

func (p *parser) failed(what string) error {
	return fmt.Errorf("%w: byte %d: %s", ErrSyntax, p.at+1, what)
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// take skips white space and then c, if that is what follows.
func (p *parser) take(c byte) bool {
	p.space()
	if p.at == len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

// string reads a string and returns its value. A value is never longer than
// its text, so it is written over it; it is not nil.
func (p *parser) string() ([]byte, error) {
	if !p.take('"') {
		return nil, p.failed("a string is wanted")
	}
	start, end := p.at, p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			value := p.text[start:end:end]
			if !utf8.Valid(value) {
				return nil, p.failed("a string is not UTF-8")
			}
			return value, nil
		case c < ' ':
			return nil, p.failed("a control character in a string")
		case c == '\\':
			r, ok := p.escape()
			if !ok {
				return nil, p.failed("a bad escape")
			}
			end += utf8.EncodeRune(p.text[end:], r)
		default:
			p.text[end] = c
			end++
			p.at++
		}
	}
	return nil, p.failed("a string does not end")
}

// escape reads one escape sequence, or the two of a surrogate pair.
func (p *parser) escape() (rune, bool) {
	rest := p.text[p.at+1:]
	if len(rest) == 0 {
		return 0, false
	}
	p.at += 2
	switch c := rest[0]; c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return p.unicode()
	}
	return 0, false
}

// unicode reads what follows \u, and the second half of a surrogate pair.
func (p *parser) unicode() (rune, bool) {
	r, ok := p.hex4()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if len(p.text)-p.at < 2 || p.text[p.at] != '\\' || p.text[p.at+1] != 'u' {
		return 0, false
	}
	p.at += 2
	low, ok := p.hex4()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

// hex4 reads four hexadecimal digits.
func (p *parser) hex4() (rune, bool) {
	if len(p.text)-p.at < 4 {
		return 0, false
	}
	var r rune
	for _, c := range p.text[p.at:][:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	p.at += 4
	return r, true
}
