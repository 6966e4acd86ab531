package ec

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// A vector is one of Wycheproof's for ECDH.
type vector struct {
	ID                      int `json:"tcId"`
	Comment                 string
	Public, Private, Shared string // hexadecimal
	Result                  string
}

func vectors(t *testing.T, name string) []vector {
	t.Helper()
	text, err := os.ReadFile("../testdata/wycheproof/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	return list
}

func TestWycheproofECDH(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	for _, v := range vectors(t, "ecdh_p256.json") {
		// Scalars come with leading zeros, or without those that belong to them.
		scalar := bytes.TrimLeft(unhex(t, v.Private), "\x00")
		scalar = append(make([]byte, P256.ScalarSize()-len(scalar)), scalar...)
		shared := make([]byte, P256.ScalarSize())
		err := P256.ECDH(shared, scalar, unhex(t, v.Public), s)
		if v.Result == "valid" {
			if want := unhex(t, v.Shared); err != nil || !bytes.Equal(shared, want) {
				t.Errorf("%d, %s: %x, %v, want %x", v.ID, v.Comment, shared, err, want)
			}
		} else if !errors.Is(err, ErrPoint) { // a compressed point is "acceptable"
			t.Errorf("%d, %s: %v", v.ID, v.Comment, err)
		}
	}
}

func TestWycheproofX25519(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	for _, v := range vectors(t, "x25519.json") {
		shared, want := make([]byte, X25519Size), unhex(t, v.Shared)
		err := X25519(shared, unhex(t, v.Private), unhex(t, v.Public), s)
		if bytes.Equal(want, make([]byte, X25519Size)) {
			if !errors.Is(err, ErrPoint) {
				t.Errorf("%d, %s: %v", v.ID, v.Comment, err)
			}
		} else if err != nil || !bytes.Equal(shared, want) {
			t.Errorf("%d, %s: %x, %v, want %x", v.ID, v.Comment, shared, err, want)
		}
	}
}
