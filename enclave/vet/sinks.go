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
	strings.TrimSpace strings.Trim strings.TrimPrefix strings.TrimSuffix strings.Cut strings.Split strings.Fields
	strings.NewReader`)

// copies are functions whose result is a copy of their argument, or as good as one.
var copies = words(`
	bytes.Clone bytes.ToUpper bytes.ToLower bytes.Repeat bytes.Join slices.Clone slices.Concat
	strings.Clone strings.ToUpper strings.ToLower strings.Repeat strings.Join io.ReadAll
	bytes.Buffer.Write bytes.Buffer.WriteString strings.Builder.Write strings.Builder.WriteString
	encoding/hex.EncodeToString encoding/hex.AppendEncode encoding/hex.Dump
	encoding/base64.Encoding.EncodeToString encoding/base64.Encoding.AppendEncode encoding/base32.Encoding.EncodeToString
	encoding/json.Marshal encoding/json.MarshalIndent encoding/json.Encoder.Encode encoding/pem.EncodeToMemory`)

// coders are functions that write to the first of two slices what they read from the other.
var coders = words(`
	encoding/hex.Encode encoding/hex.Decode
	encoding/base64.Encoding.Encode encoding/base64.Encoding.Decode
	encoding/base32.Encoding.Encode encoding/base32.Encoding.Decode`)

// starters are functions that call their last argument in a goroutine.
var starters = words(`
	sync.WaitGroup.Go golang.org/x/sync/errgroup.Group.Go golang.org/x/sync/errgroup.Group.TryGo
	time.AfterFunc context.AfterFunc`)

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
	"math/big.Int.SetBytes":                               useKey + " for an ECDSA or RSA key",
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
	name := symbol(call)
	if _, ok := instr.(*ssa.Go); ok || starters[name] {
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
	if instead, ok := ciphers[name]; ok {
		f.copied(instr.Pos(), "%s copies the secret to the heap: use %s", short(name), instead)
		return
	}
	switch n := len(call.Args); {
	case aliases[name] && v == call.Args[0]:
		f.add(instr.Value())
	case copies[name] && (call.Signature().Recv() == nil || call.IsInvoke() || v != call.Args[0]):
		f.heap(instr.Pos(), short(name))
	case coders[name] && v == call.Args[n-1]:
		f.copyTo(call.Args[n-2], instr, short(name))
	case prints(call):
		f.printed(instr.Pos(), short(name))
	}
}

// copyTo reports a copy to a slice in ordinary memory.
func (f *flow) copyTo(dst ssa.Value, instr ssa.Instruction, function string) {
	if isBytes(dst.Type()) && onHeap(dst, map[ssa.Value]bool{}) {
		f.heap(instr.Pos(), function)
	}
}

// builtin looks at append, copy, panic, print and println.
func (f *flow) builtin(v ssa.Value, name string, instr ssa.CallInstruction) {
	args := instr.Common().Args
	switch name {
	case "append":
		if result := instr.Value(); args[0] == v || !isBytes(result.Type()) {
			f.add(result)
		} else {
			f.copyTo(args[0], instr, name)
		}
	case "copy":
		if args[1] == v && args[0] != v {
			f.copyTo(args[0], instr, name)
		}
	case "print", "println":
		f.printed(instr.Pos(), name)
	}
}

// short returns a symbol without the folders of its package's path, and without the
// unexported type that T and B embed.
func short(name string) string {
	return strings.Replace(name[strings.LastIndexByte(name, '/')+1:], "testing.common.", "testing.T.", 1)
}

// waits reports whether a function waits for something: a group, or a channel. A function
// literal that it calls or defers may do so.
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
			case *ssa.Call, *ssa.Defer:
				call := i.(ssa.CallInstruction).Common()
				if called := callee(call); called != nil && called.Name() == "Wait" {
					return true
				}
				if literal := function(call.Value); literal != nil && literal.Parent() == fn && waits(literal) {
					return true
				}
			}
		}
	}
	return false
}
