package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"github.com/memkeep/memkeep/enclave/keys"
)

// refuses are the subjects whose operations fail. The secret is a list of key files, each
// damaged in another way, and each operation tries all that makes a key with one of them.
// Some RSA files are found out only by a test of primes, which takes long.
var refuses = []subject{
	{name: "Parse refused", times: leftoverOperations / 2, keys: refused, standard: refusedStandard},
	{name: "RSA refused", times: leftoverOperations, long: true, keys: refused, standard: refusedStandard},
}

// A refusal is what is to become of a file.
type refusal byte

const (
	malformed refusal = iota
	encrypted
	unsupported
	mismatched
	foreign // a sound key that is not the certificate's
)

func (r refusal) error() error {
	return [...]error{keys.ErrFormat, keys.ErrEncrypted, keys.ErrUnsupported, keys.ErrMismatch, keys.ErrMismatch}[r]
}

// A refusedFile is a key file that is refused. A secret has it as the refusal, its size
// in two bytes, and its content.
type refusedFile struct {
	want    refusal
	content []byte
}

func (f refusedFile) append(secret []byte) []byte {
	secret = append(secret, byte(f.want))
	secret = binary.BigEndian.AppendUint16(secret, uint16(len(f.content)))
	return append(secret, f.content...)
}

// cutRefused returns the first file, whose content lies in the secret, and the rest.
func cutRefused(secret []byte) (f refusedFile, rest []byte) {
	size := int(binary.BigEndian.Uint16(secret[1:]))
	return refusedFile{refusal(secret[0]), secret[3 : 3+size]}, secret[3+size:]
}

const refusedCertificate = "certificate"

func refused(in keys.Session, secret []byte) (func() error, error) {
	if err := writeForeignCertificate(); err != nil {
		return nil, err
	}
	var operations []func() error
	for len(secret) > 0 {
		var f refusedFile
		f, secret = cutRefused(secret)
		name, want := fmt.Sprint(len(operations)), f.want
		if err := os.WriteFile(name, f.content, 0o600); err != nil {
			return nil, err
		}
		e, err := leftoverSession.NewCopy(f.content)
		if err != nil {
			return nil, err
		}
		// In ordinary memory, where nobody but the callee wipes it.
		parse := func(parse func([]byte) (*keys.PrivateKey, error)) error {
			input := make([]byte, e.Size())
			if _, err := e.OpenInto(input); err != nil {
				return err
			}
			_, err := parse(input)
			return err
		}
		operations = append(operations, func() error {
			_, err := in.LoadX509KeyPair(refusedCertificate, name)
			all := []error{err}
			if want != foreign {
				_, err = in.FromEnclave(e)
				all = append(all, err, parse(in.Parse))
			}
			for _, err := range all {
				if !errors.Is(err, want.error()) {
					return fmt.Errorf("file %s: %v, want %v", name, err, want.error())
				}
			}
			_, err = in.SeedFromEnclave(e)
			for _, err := range []error{err, parse(in.ParseSeed)} {
				if !errors.Is(err, keys.ErrFormat) {
					return fmt.Errorf("file %s as a seed: %v", name, err)
				}
			}
			return nil
		})
	}
	var turn atomic.Uint32
	return func() error { return operations[int(turn.Add(1))%len(operations)]() }, nil
}

// writeForeignCertificate writes a certificate of a key that nobody keeps.
func writeForeignCertificate() error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return err
	}
	return os.WriteFile(refusedCertificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

// refusedTurn says which file is next.
var refusedTurn atomic.Uint32

// refusedStandard reads a file with all of the standard library's parsers, some of which
// take keys that package keys refuses.
func refusedStandard(secret []byte) error {
	var files []refusedFile
	for len(secret) > 0 {
		var f refusedFile
		f, secret = cutRefused(secret)
		if f.want != foreign {
			files = append(files, f)
		}
	}
	file := files[int(refusedTurn.Add(1))%len(files)].content
	der := file
	if block, _ := pem.Decode(file); block != nil {
		der = block.Bytes
		defer clear(der)
	}
	_, _ = x509.ParsePKCS8PrivateKey(der)
	_, _ = x509.ParseECPrivateKey(der)
	_, _ = x509.ParsePKCS1PrivateKey(der)
	if bytes.Contains(file, []byte("OPENSSH")) {
		_, _ = ssh.ParseRawPrivateKey(file)
	}
	return nil
}
