// Package keyfile reads private keys in the formats that files have: PKCS#8,
// SEC 1, PKCS#1 and OpenSSH's, as PEM or as the bytes themselves.
//
// It copies no part of a key but where the caller says, and its errors repeat
// nothing of the input: what is read may be a secret in the wrong place.
package keyfile

import (
	"bytes"
	"errors"
	"fmt"
)

// The errors of keys that can't be read. The package keys exports them.
var (
	ErrFormat      = errors.New("keys: malformed key")
	ErrEncrypted   = errors.New("keys: the private key is encrypted with a passphrase")
	ErrUnsupported = errors.New("keys: unsupported")
)

// A Format is how a key is encoded. The zero value is DER whose kind is to be
// found out.
type Format int

// The formats.
const (
	AnyDER Format = iota
	PKCS8
	SEC1
	PKCS1
	OpenSSH
)

// A Block is where in its input a key is.
type Block struct {
	Format Format
	Body   []byte // part of the input
	base64 bool   // Body is the base64 text of a PEM block
}

// labels of PEM blocks, and the formats they hold.
var labels = map[string]Format{
	"PRIVATE KEY":         PKCS8,
	"EC PRIVATE KEY":      SEC1,
	"RSA PRIVATE KEY":     PKCS1,
	"OPENSSH PRIVATE KEY": OpenSSH,
}

const opensshMagic = "openssh-key-v1\x00"

// Find returns where in data the first private key is. Blocks of other kinds
// before it, such as certificates, are passed over.
func Find(data []byte) (Block, error) {
	if index(data, "-----BEGIN ") < 0 {
		switch {
		case hasPrefix(data, opensshMagic):
			return Block{Format: OpenSSH, Body: data}, nil
		case len(data) > 0 && data[0] == 0x30: // a SEQUENCE
			return Block{Format: AnyDER, Body: data}, nil
		}
		return Block{}, fmt.Errorf("%w: neither PEM nor DER", ErrFormat)
	}
	for rest := data; ; {
		label, body, after, ok := nextPEM(rest)
		if !ok {
			return Block{}, fmt.Errorf("%w: no complete PEM block of a private key", ErrFormat)
		}
		rest = after
		if !bytes.HasSuffix(label, []byte("PRIVATE KEY")) {
			continue
		}
		body, encrypted := cutHeaders(body)
		if encrypted || string(label) == "ENCRYPTED PRIVATE KEY" {
			return Block{}, ErrEncrypted
		}
		format, ok := labels[string(label)]
		if !ok {
			return Block{}, fmt.Errorf("%w: this type of PEM block", ErrUnsupported)
		}
		return Block{Format: format, Body: body, base64: true}, nil
	}
}

// nextPEM returns the label and body of data's first PEM block, and what follows
// it. Its delimiters begin lines.
func nextPEM(data []byte) (label, body, after []byte, ok bool) {
	const begin, end, dashes = "-----BEGIN ", "-----END ", "-----"
	at := lineWith(data, begin)
	if at < 0 {
		return nil, nil, nil, false
	}
	line, rest, ok := cutLine(data[at+len(begin):])
	if !ok {
		return nil, nil, nil, false
	}
	label, ok = bytes.CutSuffix(bytes.TrimRight(line, " \t\r"), []byte(dashes))
	if !ok {
		return nil, nil, nil, false
	}
	at = lineWith(rest, end)
	if at < 0 {
		return nil, nil, nil, false
	}
	line, after, _ = cutLine(rest[at+len(end):])
	other, ok := bytes.CutSuffix(bytes.TrimRight(line, " \t\r"), []byte(dashes))
	return label, rest[:at], after, ok && bytes.Equal(label, other)
}

// lineWith returns where the first line that begins with prefix does, or -1.
func lineWith(data []byte, prefix string) int {
	if hasPrefix(data, prefix) {
		return 0
	}
	at := index(data, "\n"+prefix)
	if at < 0 {
		return -1
	}
	return at + 1
}

// cutLine returns the first line, what follows it, and whether it ends with a newline.
func cutLine(data []byte) (line, rest []byte, ok bool) {
	at := index(data, "\n")
	if at < 0 {
		return data, nil, false
	}
	return data[:at], data[at+1:], true
}

// index returns where pattern first is in data, or -1, as [bytes.Index] does. That
// loads 32 bytes at once into vector registers and leaves them there, and Find runs
// where the goroutine may be preempted and its registers saved.
func index(data []byte, pattern string) int {
	for at := 0; at+len(pattern) <= len(data); at++ {
		if hasPrefix(data[at:], pattern) {
			return at
		}
	}
	return -1
}

// hasPrefix reports whether data begins with prefix. It loads a byte at a time.
func hasPrefix(data []byte, prefix string) bool {
	if len(data) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if data[i] != prefix[i] {
			return false
		}
	}
	return true
}

// cutHeaders returns what follows a PEM block's headers (RFC 1421), and whether
// they say that it is encrypted.
func cutHeaders(body []byte) (rest []byte, encrypted bool) {
	for {
		line, rest, ok := cutLine(body)
		if !ok || index(line, ":") < 0 {
			return body, encrypted
		}
		encrypted = encrypted || index(line, "ENCRYPTED") >= 0
		body = rest
	}
}

// Decode writes the key's bytes to dst, which is as long as Body and should be
// locked memory, and returns the part of it that they take. dst may be Body itself.
func (b Block) Decode(dst []byte) ([]byte, error) {
	if !b.base64 {
		return dst[:copyBytes(dst, b.Body)], nil
	}
	n, err := decodeBase64(dst, b.Body)
	return dst[:n], err
}

// Certificates returns the certificates in PEM data. Blocks of other kinds, which
// may be a key's, are passed over.
func Certificates(data []byte) ([][]byte, error) {
	var all [][]byte
	for rest := data; ; {
		label, body, after, ok := nextPEM(rest)
		if !ok {
			break
		}
		rest = after
		if string(label) != "CERTIFICATE" {
			continue
		}
		body, _ = cutHeaders(body)
		der := make([]byte, len(body))
		n, err := decodeBase64(der, body)
		if err != nil {
			return nil, err
		}
		all = append(all, der[:n])
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no PEM block of a certificate", ErrFormat)
	}
	return all, nil
}
