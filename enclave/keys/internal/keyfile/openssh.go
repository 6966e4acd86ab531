package keyfile

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// parseOpenSSH reads OpenSSH's format of one key (PROTOCOL.key of its sources):
//
//	"openssh-key-v1" 0, cipher, kdf, kdf options, number of keys, public key, private part
//
// The private part is the check number twice, the key, its comment, and padding 1, 2, 3...
func parseOpenSSH(data []byte) (Key, error) {
	rest, ok := bytes.CutPrefix(data, []byte(opensshMagic))
	if !ok {
		return Key{}, malformed("OpenSSH")
	}
	input := cryptobyte.String(rest)
	var cipher, kdf, options, outer, private []byte
	var count uint32
	if !readString(&input, &cipher) || !readString(&input, &kdf) || !readString(&input, &options) || !input.ReadUint32(&count) {
		return Key{}, malformed("OpenSSH")
	}
	if string(cipher) != "none" || string(kdf) != "none" {
		return Key{}, ErrEncrypted
	}
	if count == 0 {
		return Key{}, malformed("OpenSSH")
	}
	if count > 1 {
		return Key{}, fmt.Errorf("%w: an OpenSSH file of more than one key", ErrUnsupported)
	}
	if len(options) > 0 || !readString(&input, &outer) || !readString(&input, &private) || !input.Empty() {
		return Key{}, malformed("OpenSSH")
	}
	part := cryptobyte.String(private)
	var check, again uint32
	var name, comment []byte
	if !part.ReadUint32(&check) || !part.ReadUint32(&again) || check != again || !readString(&part, &name) {
		return Key{}, malformed("OpenSSH: the private part")
	}
	k, err := readOpenSSHKey(&part, name)
	if err != nil {
		return Key{}, err
	}
	if !readString(&part, &comment) || len(private)%8 != 0 || len(part) >= 8 {
		return Key{}, malformed("OpenSSH: the private part")
	}
	for i, c := range part {
		if int(c) != i+1 {
			return Key{}, malformed("OpenSSH: the padding")
		}
	}
	if !k.isPublic(outer, name) {
		return Key{}, malformed("OpenSSH: two public keys")
	}
	return k, nil
}

// readOpenSSHKey reads a key of the type that name is, if it is undamaged: then it may be
// the key itself, and is never made a string.
func readOpenSSHKey(part *cryptobyte.String, name []byte) (Key, error) {
	bad := malformed("OpenSSH: the private key")
	switch string(name) {
	case "ssh-ed25519":
		k := Key{Type: Ed25519}
		var both []byte
		if !readString(part, &k.Public) || !readString(part, &both) || len(both) != 64 || !bytes.Equal(both[32:], k.Public) {
			return Key{}, bad
		}
		k.Secret = both[:32]
		return k, k.check()
	case "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384":
		k := Key{Type: P256}
		size := 32
		if string(name) == "ecdsa-sha2-nistp384" {
			k.Type, size = P384, 48
		}
		var curve []byte
		if !readString(part, &curve) || !bytes.Equal(curve, name[len("ecdsa-sha2-"):]) ||
			!readString(part, &k.Public) || !readMPInt(part, &k.Secret) || len(k.Secret) > size {
			return Key{}, bad
		}
		if len(k.Public) != 1+2*size {
			return Key{}, bad
		}
		return k, nil
	case "ssh-rsa":
		k := Key{Type: RSA}
		for _, number := range []*[]byte{&k.N, &k.E, &k.D, &k.QInv, &k.P, &k.Q} {
			if !readMPInt(part, number) {
				return Key{}, bad
			}
		}
		return k, nil
	}
	return Key{}, fmt.Errorf("%w: this type of OpenSSH key", ErrUnsupported)
}

// isPublic reports whether blob is the public key of k, as OpenSSH encodes it.
func (k *Key) isPublic(blob, name []byte) bool {
	input := cryptobyte.String(blob)
	var got, curve, public, n, e []byte
	if !readString(&input, &got) || !bytes.Equal(got, name) {
		return false
	}
	switch k.Type {
	case RSA:
		return readMPInt(&input, &e) && readMPInt(&input, &n) && input.Empty() && bytes.Equal(e, k.E) && bytes.Equal(n, k.N)
	case P256, P384:
		if !readString(&input, &curve) || !bytes.Equal(curve, name[len("ecdsa-sha2-"):]) {
			return false
		}
	}
	return readString(&input, &public) && input.Empty() && bytes.Equal(public, k.Public)
}

// readString reads a string of RFC 4251, section 5: its length and its bytes.
func readString(s *cryptobyte.String, out *[]byte) bool {
	var n uint32
	return s.ReadUint32(&n) && uint64(n) <= uint64(len(*s)) && s.ReadBytes(out, int(n))
}

// readMPInt reads a positive mpint of RFC 4251, section 5.
func readMPInt(s *cryptobyte.String, out *[]byte) bool {
	var number []byte
	return readString(s, &number) && positive(number, out)
}
