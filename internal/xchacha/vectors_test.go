package xchacha

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"
)

// preset makes a State in the middle of a message, with no keystream at hand:
// the way to a kernel's pieces.
func preset(subkey []byte, counter uint32, nonce []byte) *State {
	s := newState()
	for i := range s.subkey {
		s.subkey[i] = binary.LittleEndian.Uint32(subkey[4*i:])
	}
	s.position[0] = counter
	for i := range 3 {
		s.position[1+i] = binary.LittleEndian.Uint32(nonce[4*i:])
	}
	s.used = streamSize
	return s
}

// cipher is ChaCha20 alone, of data, from the block that counter says.
func (k kernel) cipher(subkey []byte, counter uint32, nonce, data []byte) []byte {
	dst := make([]byte, len(data)+TagSize)
	k.seal(preset(subkey, counter, nonce), dst, data, nil, nil, last)
	return dst[:len(data)]
}

func TestRFC8439ChaCha20(t *testing.T) {
	const sunscreen = "Ladies and Gentlemen of the class of '99: " +
		"If I could offer you only one tip for the future, sunscreen would be it."
	zero := make([]byte, 64)
	vectors := []struct {
		section    string
		key, nonce string
		counter    uint32
		data       []byte
		want       string
	}{
		{
			"2.3.2", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
			"000000090000004a00000000", 1, zero,
			"10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
				"d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
		},
		{
			"2.4.2", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
			"000000000000004a00000000", 1, []byte(sunscreen),
			"6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b" +
				"f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8" +
				"07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736" +
				"5af90bbf74a35be6b40b8eedf2785e42874d",
		},
		{
			"A.1 #2", "0000000000000000000000000000000000000000000000000000000000000000",
			"000000000000000000000000", 1, zero,
			"9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed" +
				"29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
		},
		{
			"A.1 #3", "0000000000000000000000000000000000000000000000000000000000000001",
			"000000000000000000000000", 1, zero,
			"3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a" +
				"8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0",
		},
		{
			"A.1 #4", "00ff000000000000000000000000000000000000000000000000000000000000",
			"000000000000000000000000", 2, zero,
			"72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca" +
				"13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096",
		},
	}
	eachKernel(t, func(t *testing.T, k kernel) {
		for _, v := range vectors {
			got := k.cipher(unhex(t, v.key), v.counter, unhex(t, v.nonce), v.data)
			if !bytes.Equal(got, unhex(t, v.want)) {
				t.Errorf("section %s: got %x", v.section, got)
			}
		}
	})
}

// Section 2.2.1 of draft-irtf-cfrg-xchacha-03.
func TestDraftHChaCha20(t *testing.T) {
	key := unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	in := unhex(t, "000000090000004a0000000031415927")
	want := unhex(t, "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc")
	eachKernel(t, func(t *testing.T, k kernel) {
		s := newState()
		k.hChaCha(s, &s.Key, (*[KeySize]byte)(key), (*[16]byte)(in), 10)
		if !bytes.Equal(s.Key[:], want) {
			t.Errorf("got %x", s.Key)
		}
	})
}

// The tests of Project Wycheproof, of which number 1 is that of section A.3.1
// of draft-irtf-cfrg-xchacha-03. Additional data changes the tag only, so of
// those tests that have it the ciphertext counts.
func TestWycheproof(t *testing.T) {
	data, err := os.ReadFile("testdata/wycheproof/xchacha20_poly1305.json")
	if err != nil {
		t.Fatal(err)
	}
	var tests []struct {
		TCID                               int
		Key, IV, AAD, Msg, Ct, Tag, Result string
	}
	if err := json.Unmarshal(data, &tests); err != nil {
		t.Fatal(err)
	}
	if len(tests) != 306 {
		t.Fatalf("%d tests", len(tests))
	}
	eachKernel(t, func(t *testing.T, k kernel) {
		for _, test := range tests {
			nonce := (*[NonceSize]byte)(unhex(t, test.IV))
			msg, ct, tag := unhex(t, test.Msg), unhex(t, test.Ct), unhex(t, test.Tag)
			s, key := newState(), split(t, unhex(t, test.Key))

			valid := test.Result == "valid"
			got := make([]byte, len(msg)+TagSize)
			k.sealMessage(s, got, msg, nonce, key)
			if valid && !bytes.Equal(got[:len(msg)], ct) {
				t.Errorf("test %d: wrong ciphertext", test.TCID)
			}
			if valid && test.AAD == "" && !bytes.Equal(got[len(msg):], tag) {
				t.Errorf("test %d: wrong tag", test.TCID)
			}
			back := make([]byte, len(ct))
			opened := k.openMessage(s, back, append(ct, tag...), nonce, key)
			if opened != (valid && test.AAD == "") {
				t.Errorf("test %d: opened is %v", test.TCID, opened)
			}
			if opened && !bytes.Equal(back, msg) {
				t.Errorf("test %d: wrong plaintext", test.TCID)
			}
		}
	})
}
