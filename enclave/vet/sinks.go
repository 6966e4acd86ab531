package vet

import (
	"strings"

	"golang.org/x/tools/go/ssa"
)

// aliases are functions whose results share the memory of their first argument.
var aliases = words(`
	bytes.TrimSpace bytes.Trim bytes.TrimLeft bytes.TrimRight bytes.TrimPrefix bytes.TrimSuffix bytes.TrimFunc
	bytes.TrimLeftFunc bytes.TrimRightFunc bytes.Cut bytes.CutPrefix bytes.CutSuffix bytes.Split bytes.SplitN
	bytes.SplitAfter bytes.SplitAfterN bytes.Fields bytes.FieldsFunc bytes.NewReader bytes.NewBuffer
	slices.Clip slices.Grow slices.Compact
	strings.TrimSpace strings.Trim strings.TrimPrefix strings.TrimSuffix strings.NewReader`)

// copies are functions whose result is a copy of their argument, or as good as one.
var copies = words(`
	bytes.Clone bytes.ToUpper bytes.ToLower bytes.Repeat bytes.Join slices.Clone slices.Concat strings.Clone
	encoding/hex.EncodeToString encoding/hex.AppendEncode encoding/hex.Dump
	encoding/base64.Encoding.EncodeToString encoding/base64.Encoding.AppendEncode
	encoding/base32.Encoding.EncodeToString encoding/json.Marshal encoding/pem.EncodeToMemory`)

const (
	useKey  = "keys.FromEnclave"
	useSeed = "keys.SeedFromEnclave"
	useMAC  = "keys.MACFromEnclave"
	useAEAD = "keys.AEADFromEnclave"
	useECDH = "keys.FromEnclave and PrivateKey.ECDH"
)

// ciphers are functions that copy a key, each with what does its work without. Empty
// means that memkeep has nothing in its place.
var ciphers = map[string]string{
	"crypto/ed25519.NewKeyFromSeed":                       useSeed,
	"crypto/hmac.New":                                     useMAC,
	"crypto/aes.NewCipher":                                useAEAD + " (XChaCha20-Poly1305), where the format is yours",
	"golang.org/x/crypto/chacha20poly1305.New":            useAEAD + " (XChaCha20-Poly1305), where the format is yours",
	"golang.org/x/crypto/chacha20poly1305.NewX":           useAEAD,
	"crypto/x509.ParsePKCS8PrivateKey":                    useKey,
	"crypto/x509.ParseECPrivateKey":                       useKey,
	"crypto/x509.ParsePKCS1PrivateKey":                    useKey,
	"crypto/tls.X509KeyPair":                              useKey + ", or keys.LoadX509KeyPair",
	"crypto/ecdsa.ParseRawPrivateKey":                     useKey,
	"crypto/ecdh.Curve.NewPrivateKey":                     useECDH,
	"golang.org/x/crypto/ssh.ParsePrivateKey":             useKey + " and ssh.NewSignerFromSigner",
	"golang.org/x/crypto/ssh.ParseRawPrivateKey":          useKey + " and ssh.NewSignerFromSigner",
	"encoding/pem.Decode":                                 useKey + ", or load.PEM",
	"golang.org/x/crypto/curve25519.X25519":               useECDH,
	"github.com/golang-jwt/jwt.Token.SignedString":        useMAC + ", or " + useKey + ", with an adapter such as memkeep's tests/jwt",
	"github.com/golang-jwt/jwt.ParseRSAPrivateKeyFromPEM": useKey,
	"github.com/golang-jwt/jwt.ParseECPrivateKeyFromPEM":  useKey,
	"github.com/golang-jwt/jwt.ParseEdPrivateKeyFromPEM":  useKey,
}

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// symbol returns a function's package path, its receiver's type and its name, joined by
// dots. The major version of golang-jwt is left out.
func symbol(call *ssa.CallCommon) string {
	fn := callee(call)
	if fn == nil || fn.Pkg() == nil {
		return ""
	}
	path := fn.Pkg().Path()
	if strings.HasPrefix(path, "github.com/golang-jwt/jwt/v") {
		path = "github.com/golang-jwt/jwt"
	}
	if recv := receiver(fn); recv != "" {
		return path + "." + recv + "." + fn.Name()
	}
	return path + "." + fn.Name()
}

// prints reports whether a function formats its arguments or puts them into an error.
func prints(call *ssa.CallCommon) bool {
	fn := callee(call)
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	name := fn.Name()
	switch fn.Pkg().Path() {
	case "fmt":
		for _, verb := range []string{"Print", "Fprint", "Sprint", "Append", "Errorf"} {
			if strings.HasPrefix(name, verb) {
				return true
			}
		}
		return false
	case "log":
		return !strings.HasPrefix(name, "Set") && name != "New" && name != "Write"
	case "log/slog":
		return true
	case "testing":
		for _, verb := range []string{"Log", "Error", "Fatal", "Skip"} {
			if strings.HasPrefix(name, verb) {
				return true
			}
		}
	case "errors":
		return name == "New"
	}
	return false
}

// call looks at a call that has v as an argument, or as the function.
func (f *flow) call(v ssa.Value, instr ssa.CallInstruction) {
	call := instr.Common()
	if _, ok := instr.(*ssa.Go); ok {
		if !waits(f.home) {
			f.escapes(instr, "is handed to a goroutine that nothing here waits for")
		}
		return
	}
	if b, ok := call.Value.(*ssa.Builtin); ok {
		f.builtin(v, b.Name(), instr)
		return
	}
	if len(call.Args) == 0 && !call.IsInvoke() {
		return
	}
	name := symbol(call)
	if instead, ok := ciphers[name]; ok {
		f.copied(instr.Pos(), "%s copies the secret to the heap: use %s", short(name), instead)
		return
	}
	switch {
	case aliases[name] && v == call.Args[0]:
		f.add(instr.Value())
	case copies[name]:
		f.copied(instr.Pos(), "%s copies the secret to the heap, where it is not locked", short(name))
	case prints(call):
		f.copied(instr.Pos(), "%s prints the secret: print its size, or the enclave, which is redacted", short(name))
	}
}

// builtin looks at append, copy, panic, print and println.
func (f *flow) builtin(v ssa.Value, name string, instr ssa.CallInstruction) {
	args := instr.Common().Args
	switch name {
	case "append":
		if result := instr.Value(); args[0] == v || !isBytes(result.Type()) {
			f.add(result)
		} else if onHeap(args[0], map[ssa.Value]bool{}) {
			f.copied(instr.Pos(), "append copies the secret to the heap, where it is not locked")
		}
	case "copy":
		if args[1] == v && args[0] != v && isBytes(args[0].Type()) && onHeap(args[0], map[ssa.Value]bool{}) {
			f.copied(instr.Pos(), "copy copies the secret to the heap, where it is not locked")
		}
	case "print", "println":
		f.copied(instr.Pos(), "%s prints the secret", name)
	}
}

// short returns a symbol without the folders of its package's path, and without the
// unexported type that T and B embed.
func short(name string) string {
	return strings.Replace(name[strings.LastIndexByte(name, '/')+1:], "testing.common.", "testing.T.", 1)
}

// waits reports whether a function waits for something: a group, or a channel.
func waits(fn *ssa.Function) bool {
	for _, block := range fn.Blocks {
		for _, instr := range block.Instrs {
			switch i := instr.(type) {
			case *ssa.UnOp:
				if i.Op.String() == "<-" {
					return true
				}
			case *ssa.Select:
				return true
			case ssa.CallInstruction:
				if called := callee(i.Common()); called != nil && called.Name() == "Wait" {
					return true
				}
			}
		}
	}
	return false
}
