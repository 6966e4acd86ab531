package load

import (
	"bytes"
	"fmt"
)

const (
	pemBegin   = "-----BEGIN "
	pemEnd     = "-----END "
	pemDashes  = "-----"
	privateKey = "PRIVATE KEY"
)

// pemBlock returns the contents of the one PEM block of that type, decoded in
// place: so the result is part of text.
func pemBlock(text []byte, kind string) ([]byte, error) {
	var body []byte
	found := 0
	for {
		label, block, rest, err := nextPEM(text)
		if err != nil {
			return nil, err
		}
		if label == nil {
			break
		}
		if isType(label, kind) {
			found++
			body = block
		}
		text = rest
	}
	switch {
	case found == 0:
		return nil, fmt.Errorf("%w: no such PEM block", ErrNoField)
	case found > 1:
		return nil, fmt.Errorf("%w: %d such PEM blocks", ErrNoField, found)
	}
	return decodePEM(body)
}

// isType reports whether a block's label is what was asked for. "PRIVATE KEY"
// stands for RSA's, EC's and OpenSSH's too, as in crypto/tls.
func isType(label []byte, kind string) bool {
	if string(label) == kind {
		return true
	}
	return kind == privateKey && bytes.HasSuffix(label, []byte(" "+privateKey)) && string(label) != "ENCRYPTED "+privateKey
}

// nextPEM returns the next block's label, what is between its two boundaries, and
// what follows. The label is nil if there is none.
func nextPEM(text []byte) (label, body, rest []byte, err error) {
	for {
		var line []byte
		line, text = cutLine(text)
		if line == nil {
			return nil, nil, nil, nil
		}
		if label = between(line, pemBegin); label != nil {
			break
		}
	}
	for body = text; ; {
		at := len(body) - len(text)
		var line []byte
		line, text = cutLine(text)
		if line == nil || between(line, pemBegin) != nil {
			return nil, nil, nil, fmt.Errorf("%w: a PEM block does not end", ErrSyntax)
		}
		if end := between(line, pemEnd); end != nil {
			if !bytes.Equal(end, label) {
				return nil, nil, nil, fmt.Errorf("%w: a PEM block ends as another", ErrSyntax)
			}
			return label, body[:at], text, nil
		}
	}
}

// cutLine returns the first line, without its end and white space behind it, and
// the rest; nil if there is none.
func cutLine(text []byte) (line, rest []byte) {
	if len(text) == 0 {
		return nil, nil
	}
	line, rest = text, text[len(text):]
	if end := indexByte(text, '\n'); end >= 0 {
		line, rest = text[:end:end], text[end+1:]
	}
	for len(line) > 0 && isSpace(line[len(line)-1]) {
		line = line[:len(line)-1]
	}
	return line, rest
}

// indexByte is bytes.IndexByte without the wide registers, in which that leaves what it
// read: the runtime saves them when it preempts the goroutine.
func indexByte(text []byte, c byte) int {
	for i := range text {
		if text[i] == c {
			return i
		}
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// between returns the label of a boundary line, nil if the line is none.
func between(line []byte, prefix string) []byte {
	label, ok := bytes.CutPrefix(line, []byte(prefix))
	if !ok {
		return nil
	}
	label, ok = bytes.CutSuffix(label, []byte(pemDashes))
	if !ok || len(label) == 0 {
		return nil
	}
	return label
}

// decodePEM decodes a block's contents, in place.
func decodePEM(body []byte) ([]byte, error) {
	text, err := skipHeaders(body)
	if err != nil {
		return nil, err
	}
	var word uint32
	var digits, padding, n int
	for _, c := range text {
		if isSpace(c) {
			continue
		}
		if c == '=' {
			padding++
			continue
		}
		value, ok := base64Digit(c)
		if !ok || padding > 0 {
			return nil, errBase64
		}
		word = word<<6 | uint32(value)
		// Three bytes for every four digits: what is written was read.
		if digits++; digits%4 == 0 {
			body[n], body[n+1], body[n+2] = byte(word>>16), byte(word>>8), byte(word)
			n += 3
		}
	}
	if (digits+padding)%4 != 0 || padding > 2 {
		return nil, errBase64
	}
	switch digits % 4 {
	case 2:
		body[n] = byte(word >> 4)
		n++
	case 3:
		body[n], body[n+1] = byte(word>>10), byte(word>>2)
		n += 2
	}
	return body[:n:n], nil
}

var errBase64 = fmt.Errorf("%w: a PEM block is not base64", ErrSyntax)

// skipHeaders returns the base64 behind the headers that RFC 1421 has.
func skipHeaders(body []byte) ([]byte, error) {
	for rest := body; ; {
		line, after := cutLine(rest)
		colon := indexByte(line, ':')
		if colon < 0 {
			return rest, nil
		}
		if string(line[:colon]) == "Proc-Type" {
			return nil, fmt.Errorf("%w: the PEM block is encrypted", ErrSyntax)
		}
		rest = after
	}
}

// base64Digit returns the value of a digit. It takes no branch and reads no table
// that depends on it, since the digits are the secret.
func base64Digit(c byte) (value byte, ok bool) {
	x := int32(c)
	// within is all ones if first <= x <= last.
	within := func(first, last int32) int32 { return ^((x - first) >> 31) & ^((last - x) >> 31) }
	v := within('A', 'Z')&(x-'A'+1) |
		within('a', 'z')&(x-'a'+27) |
		within('0', '9')&(x-'0'+53) |
		within('+', '+')&63 |
		within('/', '/')&64
	return byte(v - 1), v != 0
}
