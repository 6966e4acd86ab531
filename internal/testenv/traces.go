package testenv

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// traceSize is how many consecutive bytes of a secret make a trace: few enough to
// find a part of it, and too many to occur by chance.
const traceSize = 8

// Traces reports in which ways printed text shows a part of one of the secrets: as
// it is, in hexadecimal, in base64, as a list of numbers in any usual base, or as
// words of 64 bits in either byte order. It returns nothing if there is no trace.
func Traces(printed []byte, secrets ...[]byte) (ways []string) {
	lower := bytes.ToLower(printed)
	tokens := strings.FieldsFunc(string(lower), func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'z') })
	lists := map[string][]byte{}
	for base, prefix := range map[int]string{2: "0b", 8: "0o", 10: "", 16: "0x"} {
		lists["list in base "+strconv.Itoa(base)] = numbers(tokens, base, prefix)
	}
	found := map[string]bool{}
	look := func(way string, text, part []byte) {
		if bytes.Contains(text, part) {
			found[way] = true
		}
	}
	for _, secret := range secrets {
		for at := 0; at+traceSize <= len(secret); at++ {
			part := secret[at : at+traceSize]
			look("raw", printed, part)
			look("hexadecimal", lower, hex.AppendEncode(nil, part))
			look("base64", printed, base64.StdEncoding.AppendEncode(nil, part))
			look("base64", printed, base64.URLEncoding.AppendEncode(nil, part))
			for way, list := range lists {
				look(way, list, part)
			}
		}
		for at := 0; at+8 <= len(secret); at++ {
			for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
				word := order.Uint64(secret[at:])
				look("word", printed, strconv.AppendUint(nil, word, 10))
				look("word", lower, strconv.AppendUint(nil, word, 16))
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// numbers returns those of the tokens that are numbers of one byte. What lies
// between them is left out, as are words and larger numbers.
func numbers(tokens []string, base int, prefix string) []byte {
	var list []byte
	for _, t := range tokens {
		t = strings.TrimPrefix(t, prefix)
		if base == 16 && len(t) == 3 {
			t = strings.TrimPrefix(t, "x") // as in "\x41"
		}
		if len(t) > 8 {
			continue
		}
		if n, err := strconv.ParseUint(t, base, 8); err == nil {
			list = append(list, byte(n))
		}
	}
	return list
}
