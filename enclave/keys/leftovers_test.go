package keys_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

// leftoversEnv makes the test binary the child of TestLeftovers; its value is
// the subject and the way, with a slash between.
const leftoversEnv = "KEYS_LEFTOVERS"

const (
	wayKeys     = "keys"
	wayStandard = "standard library"
)

const (
	leftoverOperations = 2000
	leftoverCallers    = 4
	controlSize        = 32
)

var leftoverMessage = []byte("a message of the leftovers test, the same every time")

// A subject is an operation whose leftovers are looked for.
type subject struct {
	name  string
	times int  // that it is done, if not leftoverOperations
	long  bool // only in the long form

	// keys returns the operation with this package; it may take the secret's
	// memory, which is locked.
	keys func(in keys.Session, secret []byte) (func() error, error)

	// standard is the operation with the standard library, on a secret from
	// Use, as a careful program does it.
	standard func(secret []byte) error
}

var subjects = slices.Concat([]subject{
	{
		name: "Ed25519",
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			k, err := in.ParseSeed(secret)
			return func() error {
				_, err := k.Sign(nil, leftoverMessage, crypto.Hash(0))
				return err
			}, err
		},
		standard: func(secret []byte) error {
			private := ed25519.NewKeyFromSeed(secret)
			defer clear(private)
			ed25519.Sign(private, leftoverMessage)
			return nil
		},
	}, {
		name: "HMAC-SHA-256",
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			m, err := in.NewMAC(crypto.SHA256, secret)
			return func() error {
				_, err := m.Sum(leftoverMessage)
				return err
			}, err
		},
		standard: func(secret []byte) error {
			h := hmac.New(sha256.New, secret)
			h.Write(leftoverMessage)
			h.Sum(nil)
			h.Reset()
			return nil
		},
	}, {
		name:     "ECDSA P-256",
		keys:     signs256,
		standard: signs256Standard,
	}, {
		name:     "ECDSA P-384",
		keys:     signs256,
		standard: signs256Standard,
	}, {
		name: "ECDH P-256",
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			return agrees(in, secret, leftoverRemoteP256())
		},
		standard: func(secret []byte) error {
			k, err := ecdh.P256().NewPrivateKey(secret[len(secret)-32:])
			if err != nil {
				return err
			}
			_, err = k.ECDH(leftoverRemoteP256())
			return err
		},
	}, {
		name: "X25519",
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			return agrees(in, secret, leftoverRemoteX25519())
		},
		standard: func(secret []byte) error {
			k, err := ecdh.X25519().NewPrivateKey(secret[len(secret)-32:])
			if err != nil {
				return err
			}
			_, err = k.ECDH(leftoverRemoteX25519())
			return err
		},
	}, {
		name: "XChaCha20-Poly1305",
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			a, err := in.NewAEAD(secret)
			return func() error {
				for _, additional := range [][]byte{nil, leftoverDigest[:]} {
					c, err := a.SealContext(context.Background(), nil, leftoverNonce, leftoverMessage, additional)
					if err != nil {
						return err
					}
					if _, err := a.Open(nil, leftoverNonce, c, additional); err != nil {
						return err
					}
				}
				return nil
			}, err
		},
		standard: func(secret []byte) error {
			a, err := chacha20poly1305.NewX(secret)
			if err != nil {
				return err
			}
			c := a.Seal(nil, leftoverNonce, leftoverMessage, leftoverDigest[:])
			_, err = a.Open(nil, leftoverNonce, c, leftoverDigest[:])
			return err
		},
	}, {
		name: "Parse PEM",
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			e, err := leftoverSession.New(secret)
			return func() error {
				k, err := in.FromEnclave(e)
				if err != nil {
					return err
				}
				_, err = k.Sign(nil, leftoverDigest[:], crypto.SHA256)
				k.Destroy()
				return err
			}, err
		},
		standard: func(secret []byte) error {
			block, _ := pem.Decode(secret)
			return signs256Standard(block.Bytes)
		},
	},
}, rsaSubjects(2048, 0), rsaSubjects(3072, 640), rsaSubjects(4096, 320), generates, refuses)

// rsaSubjects are those of an RSA key of that many bits.
func rsaSubjects(bits, times int) []subject {
	long := bits > 2048
	return []subject{{
		name:     fmt.Sprintf("RSA %d sign", bits),
		times:    times,
		long:     long,
		keys:     signs256,
		standard: signs256Standard,
	}, {
		name:  fmt.Sprintf("RSA %d decrypt", bits),
		times: times,
		long:  long,
		keys: func(in keys.Session, secret []byte) (func() error, error) {
			k, err := in.Parse(secret)
			if err != nil {
				return nil, err
			}
			c, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, k.Public().(*rsa.PublicKey), leftoverMessage, nil)
			return func() error {
				_, err := k.Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256})
				return err
			}, err
		},
		standard: func(secret []byte) error {
			parsed, err := x509.ParsePKCS8PrivateKey(secret)
			if err != nil {
				return err
			}
			k := parsed.(*rsa.PrivateKey)
			c, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &k.PublicKey, leftoverMessage, nil)
			if err != nil {
				return err
			}
			_, err = k.Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256})
			return err
		},
	}}
}

var (
	leftoverDigest = sha256.Sum256(leftoverMessage)
	leftoverNonce  = make([]byte, 24)

	// leftoverSession is the child's.
	leftoverSession *enclave.Session
)

// The keys that the subjects agree on a secret with are no secret.
func leftoverRemoteP256() *ecdh.PublicKey {
	k, err := ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		panic(err)
	}
	return k.PublicKey()
}

func leftoverRemoteX25519() *ecdh.PublicKey {
	k, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		panic(err)
	}
	return k.PublicKey()
}

// signs256 signs an SHA-256 digest, and tells the first signatures.
func signs256(in keys.Session, secret []byte) (func() error, error) {
	k, err := in.Parse(secret)
	return func() error {
		s, err := k.Sign(nil, leftoverDigest[:], crypto.SHA256)
		if told.Add(1) <= leftoverTold {
			fmt.Printf("%x\n", s)
		}
		return err
	}, err
}

// signs256Standard does so with the standard library, and a key in PKCS #8.
func signs256Standard(secret []byte) error {
	k, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return err
	}
	_, err = k.(crypto.Signer).Sign(rand.Reader, leftoverDigest[:], crypto.SHA256)
	return err
}

// The signatures that the child tells are what the nonces follow from.
const leftoverTold = 20

var told atomic.Int32

// agrees agrees on a secret, which stays sealed.
func agrees(in keys.Session, secret []byte, remote *ecdh.PublicKey) (func() error, error) {
	k, err := in.Parse(secret)
	return func() error {
		e, err := k.ECDH(remote)
		if err == nil {
			e.Destroy()
		}
		return err
	}, err
}

// leftoversChild reads the masked secret and a control, works many times with
// the secret, says so, and waits for the end of its input.
func leftoversChild(task string) int {
	if err := leftovers(task); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func leftovers(task string) error {
	session, err := enclave.NewSession(enclave.Config{RefreshInterval: 20 * time.Millisecond, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		return err
	}
	defer session.Close()
	leftoverSession = session
	control, times, operation, err := leftoversBegin(session, task)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(control)
	if err := leftoversWork(times, operation); err != nil {
		return err
	}
	if err := testenv.AwaitSweep(); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// leftoversBegin reads control and secret from the input, and returns the
// control, on the heap where the scan must find it, and the operation, with how
// often it is done.
func leftoversBegin(session *enclave.Session, task string) ([]byte, int, func() error, error) {
	name, way, _ := strings.Cut(task, "/")
	var size [2]byte
	if _, err := io.ReadFull(os.Stdin, size[:]); err != nil {
		return nil, 0, nil, err
	}
	in, err := session.NewBuffer(int(size[0])<<8 | int(size[1]))
	if err != nil {
		return nil, 0, nil, err
	}
	defer in.Destroy()
	b := in.Bytes()
	if _, err := io.ReadFull(os.Stdin, b); err != nil {
		return nil, 0, nil, err
	}
	testenv.Mask(b)
	control := append([]byte(nil), b[:controlSize]...)
	secret := b[controlSize:]
	for _, s := range subjects {
		if s.name != name {
			continue
		}
		times := cmp.Or(s.times, leftoverOperations)
		if way == wayKeys {
			operation, err := s.keys(keys.In(session), secret)
			return control, times, operation, err
		}
		e, err := session.New(secret)
		return control, times, func() error { return e.Use(s.standard) }, err
	}
	return nil, 0, nil, fmt.Errorf("no subject %q", name)
}

// leftoversWork runs the operation from several goroutines whose stacks grow and
// shrink, with collections meanwhile.
func leftoversWork(times int, operation func() error) error {
	var group sync.WaitGroup
	errs := make(chan error, leftoverCallers)
	each := times / leftoverCallers
	for range leftoverCallers {
		group.Go(func() {
			for i := range each {
				if err := deep(i%8, operation); err != nil {
					errs <- err
					return
				}
				if (i+1)*4%each < 4 { // four times, and after the last one
					runtime.GC()
				}
			}
		})
	}
	group.Wait()
	close(errs)
	return <-errs
}

// deep calls f with some more stack in use.
func deep(depth int, f func() error) error {
	if depth == 0 {
		return f()
	}
	var frame [512]byte
	defer runtime.KeepAlive(&frame)
	return deep(depth-1, f)
}
