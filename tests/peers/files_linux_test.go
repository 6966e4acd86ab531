package peers

import (
	"bytes"
	"crypto"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

// A keyFile is a private key that another program wrote.
type keyFile struct {
	what    string
	content []byte
	public  string // as openssl writes the public key
}

// keyFiles have openssl and ssh-keygen write keys in all their formats.
func keyFiles(t *testing.T, dir folder) (all []keyFile) {
	t.Helper()
	// add adds what the command writes to the file "converted".
	add := func(public string, command ...string) {
		t.Helper()
		dir.remove(t, "converted")
		run(t, nil, command[0], command[1:]...)
		content := dir.read(t, "converted")
		switch {
		case command[0] == "ssh-keygen":
			public = publicOf(t, dir.read(t, "converted.pub"))
		case public == "":
			public = run(t, content, "openssl", "pkey", "-pubout")
		}
		what := strings.ReplaceAll(strings.Join(command, " "), string(dir)+"/", "")
		all = append(all, keyFile{what, content, public})
	}
	key, out := dir.path("key"), dir.path("converted")
	kinds := [][]string{
		{"ed25519"},
		{"x25519"},
		{"EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		{"EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
		{"RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
	}
	if testenv.Long() { // making them takes long
		kinds = append(kinds, []string{"RSA", "-pkeyopt", "rsa_keygen_bits:3072"}, []string{"RSA", "-pkeyopt", "rsa_keygen_bits:4096"})
	}
	for _, options := range kinds {
		run(t, nil, "openssl", append([]string{"genpkey", "-out", key, "-algorithm"}, options...)...)
		public := run(t, nil, "openssl", "pkey", "-in", key, "-pubout")
		add(public, "openssl", "pkey", "-in", key, "-out", out)
		add(public, "openssl", "pkey", "-in", key, "-outform", "DER", "-out", out)
		add(public, "openssl", "pkcs8", "-topk8", "-nocrypt", "-in", key, "-out", out)
		switch options[0] {
		case "EC":
			add(public, "openssl", "ec", "-in", key, "-out", out)
			add(public, "openssl", "ec", "-in", key, "-outform", "DER", "-out", out)
			add(public, "openssl", "ec", "-in", key, "-no_public", "-out", out)
			add(public, "openssl", "pkey", "-traditional", "-in", key, "-out", out)
		case "RSA":
			add(public, "openssl", "rsa", "-traditional", "-in", key, "-out", out)
			add(public, "openssl", "rsa", "-traditional", "-in", key, "-outform", "DER", "-out", out)
		}
	}
	add("", "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", out) // parameters come before the key
	for _, options := range [][]string{{"ed25519"}, {"ecdsa", "-b", "256"}, {"ecdsa", "-b", "384"}, {"rsa", "-b", "2048"}} {
		for _, format := range []string{"PEM", "PKCS8", "RFC4716"} {
			if options[0] == "ed25519" && format != "RFC4716" {
				continue // always in OpenSSH's own format
			}
			add("", append([]string{"ssh-keygen", "-q", "-N", "", "-m", format, "-f", out, "-t"}, options...)...)
		}
	}
	return all
}

// publicOf returns the public key that ssh-keygen wrote, as openssl would.
func publicOf(t *testing.T, line []byte) string {
	t.Helper()
	public, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		t.Fatal(err)
	}
	return string(publicPEM(t, public.(ssh.CryptoPublicKey).CryptoPublicKey()))
}

func TestKeyFilesOfOpenSSLAndSSHKeygenAreRead(t *testing.T) {
	if !alone(t, "openssl", "ssh-keygen") {
		return
	}
	dir := newFolder(t)
	for _, f := range keyFiles(t, dir) {
		variants := map[string][]byte{"": f.content}
		if bytes.HasPrefix(f.content, []byte("-----")) {
			variants[" with Windows line ends"] = bytes.ReplaceAll(f.content, []byte("\n"), []byte("\r\n"))
			variants[" without the last line end"] = bytes.TrimSuffix(f.content, []byte("\n"))
		}
		for variant, content := range variants {
			input := bytes.Clone(content)
			k, err := keys.Parse(input)
			if err != nil {
				t.Errorf("%s%s: %v", f.what, variant, err)
				continue
			}
			if public := string(publicPEM(t, k.Public())); public != f.public {
				t.Errorf("%s%s: another public key:\n%s%s", f.what, variant, public, f.public)
			}
			if variant != "" || k.Algorithm() == keys.X25519 {
				continue
			}
			hash := crypto.SHA256
			if k.Algorithm() == keys.Ed25519 {
				hash = 0
			}
			message := []byte("message")
			signature, err := k.SignMessage(nil, message, hash)
			if err == nil {
				err = verify(t, dir, k, hash, message, signature)
			}
			if err != nil {
				t.Errorf("%s: %v", f.what, err)
			}
		}
	}
	checkLimit(t)
}

func TestEncryptedKeyFilesSaySo(t *testing.T) {
	if !alone(t, "openssl", "ssh-keygen") {
		return
	}
	dir := newFolder(t)
	ec, rsa, out := dir.path("ec"), dir.path("rsa"), dir.path("converted")
	run(t, nil, "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", ec)
	run(t, nil, "openssl", "genpkey", "-algorithm", "RSA", "-out", rsa)
	for _, command := range [][]string{
		{"openssl", "pkcs8", "-topk8", "-in", ec, "-passout", "pass:secret", "-out", out},
		{"openssl", "pkcs8", "-topk8", "-in", rsa, "-passout", "pass:secret", "-out", out},
		{"openssl", "pkcs8", "-topk8", "-in", rsa, "-passout", "pass:secret", "-outform", "DER", "-out", out},
		{"openssl", "pkcs8", "-topk8", "-scrypt", "-in", rsa, "-passout", "pass:secret", "-out", out},
		{"openssl", "rsa", "-traditional", "-aes256", "-in", rsa, "-passout", "pass:secret", "-out", out},
		{"openssl", "ec", "-aes128", "-in", ec, "-passout", "pass:secret", "-out", out},
		{"ssh-keygen", "-q", "-N", "secret", "-t", "ed25519", "-f", out},
		{"ssh-keygen", "-q", "-N", "secret", "-t", "ecdsa", "-f", out},
		{"ssh-keygen", "-q", "-N", "secret", "-t", "ecdsa", "-m", "PEM", "-f", out},
		{"ssh-keygen", "-q", "-N", "secret", "-t", "ecdsa", "-m", "PKCS8", "-f", out},
	} {
		dir.remove(t, "converted")
		run(t, nil, command[0], command[1:]...)
		content := dir.read(t, "converted")
		inputs := [][]byte{content}
		if bytes.HasPrefix(content, []byte("-----")) {
			inputs = append(inputs, bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n")))
		}
		for _, input := range inputs {
			if k, err := keys.Parse(input); !errors.Is(err, keys.ErrEncrypted) {
				t.Errorf("%s: %v, %v, want %v", strings.Join(command, " "), k, err, keys.ErrEncrypted)
			}
		}
	}
	checkLimit(t)
}

func TestKeyFilesOfOtherKindsSaySo(t *testing.T) {
	if !alone(t, "openssl", "ssh-keygen") {
		return
	}
	dir := newFolder(t)
	out := dir.path("converted")
	p256 := dir.path("p256")
	run(t, nil, "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", p256)
	run(t, nil, "openssl", "ec", "-param_enc", "explicit", "-in", p256, "-out", dir.path("explicit"))
	for _, c := range []struct {
		want    error
		command []string
	}{
		{keys.ErrUnsupported, []string{"openssl", "genpkey", "-algorithm", "ed448", "-out", out}},
		{keys.ErrUnsupported, []string{"openssl", "genpkey", "-algorithm", "x448", "-out", out}},
		{keys.ErrUnsupported, []string{"openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521", "-out", out}},
		{keys.ErrUnsupported, []string{"openssl", "ecparam", "-name", "secp256k1", "-genkey", "-out", out}},
		{keys.ErrUnsupported, []string{"openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", out}},
		{keys.ErrUnsupported, []string{"openssl", "genpkey", "-algorithm", "RSA-PSS", "-out", out}},
		{keys.ErrUnsupported, []string{"openssl", "ec", "-param_enc", "explicit", "-in", p256, "-out", out}},
		{keys.ErrUnsupported, []string{"openssl", "pkcs8", "-topk8", "-nocrypt", "-in", dir.path("explicit"), "-out", out}},
		{keys.ErrUnsupported, []string{"openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_pubexp:3", "-out", out}},
		{keys.ErrUnsupported, []string{"ssh-keygen", "-q", "-N", "", "-t", "ecdsa", "-b", "521", "-f", out}},
		{keys.ErrFormat, []string{"openssl", "pkey", "-pubout", "-in", p256, "-out", out}},
	} {
		dir.remove(t, "converted")
		run(t, nil, c.command[0], c.command[1:]...)
		if k, err := keys.Parse(dir.read(t, "converted")); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", strings.Join(c.command, " "), k, err, c.want)
		}
	}
	checkLimit(t)
}
