package leaving

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/memkeep/memkeep/enclave/keys"
	memkeepjwt "github.com/memkeep/memkeep/tests/jwt"
)

// macSecret returns a new key of HMAC-SHA-256.
func macSecret(*testing.T) ([]byte, []needle) {
	key := randomBytes(32)
	return key, macNeedles("key", key)
}

// macNeedles are a key and what HMAC-SHA-256 makes of it, which do in its place.
func macNeedles(what string, key []byte) []needle {
	list := []needle{{what, key}}
	for pad, xor := range map[string]byte{"inner": 0x36, "outer": 0x5c} {
		block := bytes.Repeat([]byte{xor}, sha256.BlockSize)
		for i := range key {
			block[i] ^= key[i]
		}
		h := sha256.New()
		h.Write(block)
		state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			panic(err)
		}
		chain := state[4:][:sha256.Size]
		var words []byte // as a hash has them
		for b := chain; len(b) > 0; b = b[4:] {
			words = binary.NativeEndian.AppendUint32(words, binary.BigEndian.Uint32(b))
		}
		list = append(list,
			needle{what + ", " + pad + " pad", block[:len(key)]},
			needle{what + ", " + pad + " chaining value", chain},
			needle{what + ", " + pad + " hash state", words})
	}
	return list
}

// mac makes the secret a key of package keys.
func (u *user) mac() (mac *keys.MAC, err error) {
	err = u.writable(func(secret []byte) (err error) {
		mac, err = keys.In(u.session).NewMAC(crypto.SHA256, secret)
		return err
	})
	return mac, err
}

const signatureHeader = "X-Signature-256"

// receiveHooks is a server whose requests are signed, as those of GitHub are.
func (u *user) receiveHooks() error {
	verify := func(body, tag []byte) error {
		return u.with(func(secret []byte) error {
			h := hmac.New(sha256.New, secret)
			h.Write(body)
			if !hmac.Equal(h.Sum(nil), tag) {
				return keys.ErrAuthentication
			}
			return nil
		})
	}
	if u.way == recommended {
		mac, err := u.mac()
		if err != nil {
			return err
		}
		verify = mac.Verify
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		tag, tagErr := hex.DecodeString(r.Header.Get(signatureHeader))
		if err != nil || tagErr != nil || verify(body, tag) != nil {
			w.WriteHeader(http.StatusForbidden)
		}
	})}
	u.keeping = server
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if err := u.serves(listener.Addr().String()); err != nil {
		return err
	}
	if err := server.Close(); err != nil {
		return err
	}
	if err := <-ended; err != http.ErrServerClosed {
		return err
	}
	return nil
}

// sendHooks sends signed requests, and now and then one with a wrong signature.
func sendHooks(t *testing.T, address string, secret []byte) {
	t.Helper()
	client := new(http.Client)
	defer client.CloseIdleConnections()
	err := inParallel(scaled(), func(i int) error {
		body := fmt.Appendf(nil, `{"event":%d}`, i)
		h := hmac.New(sha256.New, secret)
		h.Write(body)
		tag, want := h.Sum(nil), http.StatusOK
		if i%10 == 9 {
			tag[i%len(tag)]++
			want = http.StatusForbidden
		}
		req, err := http.NewRequest(http.MethodPost, "http://"+address, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set(signatureHeader, hex.EncodeToString(tag))
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != want {
			return fmt.Errorf("event %d: %s, want %d", i, resp.Status, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// issueHS256 issues tokens and checks them.
func (u *user) issueHS256() error {
	issueOne := func(method jwt.SigningMethod, key any) error {
		_, err := issue(method, key, key, "somebody")
		return err
	}
	if u.way == recommended {
		mac, err := u.mac()
		if err != nil {
			return err
		}
		return inParallel(u.operations, func(int) error { return issueOne(memkeepjwt.HS256, mac) })
	}
	return inParallel(u.operations, func(int) error {
		return u.with(func(secret []byte) error { return issueOne(jwt.SigningMethodHS256, secret) })
	})
}

// issue issues a token with a key, and checks it.
func issue(method jwt.SigningMethod, key, public any, subject string) (string, error) {
	token, err := jwt.NewWithClaims(method, jwt.MapClaims{"sub": subject}).SignedString(key)
	if err != nil {
		return "", err
	}
	parsed, err := jwt.NewParser().Parse(token, func(t *jwt.Token) (any, error) {
		t.Method = method // golang-jwt takes its own of that name
		return public, nil
	})
	if err != nil {
		return "", err
	}
	if got, err := parsed.Claims.GetSubject(); err != nil || got != subject {
		return "", fmt.Errorf("%q, %v", got, err)
	}
	return token, nil
}
