package differential

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// additions are what the drop-in exports and memguard does not, each with its
// reason in the package's documentation.
var additions = map[string][]string{
	".": {
		"method (*Enclave) MarshalText() ([]byte, error)",
		"method (*Enclave) UnmarshalJSON([]byte) error",
		"method (*Enclave) UnmarshalText([]byte) error",
		"method (*LockedBuffer) MarshalText() ([]byte, error)",
		"method (*LockedBuffer) UnmarshalJSON([]byte) error",
		"method (*LockedBuffer) UnmarshalText([]byte) error",
	},
	"core": {
		"func OpenFrozen(*Enclave) (*Buffer, error)",
		"func OpenInto(*Enclave, []byte) (int, error)",
		"func ReadAll(io.Reader) (*Buffer, error)",
		"func ReadFull(io.Reader, int) (*Buffer, error)",
		"func ReadUntil(io.Reader, byte) (*Buffer, error)",
		"func Session() (*enclave.Session, error)",
		"func Unwrap(*Enclave) *enclave.Enclave",
		"func Wrap(*locked.Buffer) *Buffer",
		"method (*Buffer) Format(fmt.State, rune)",
		"method (*Buffer) LogValue() slog.Value",
		"method (*Buffer) MarshalText() ([]byte, error)",
		"method (*Buffer) UnmarshalJSON([]byte) error",
		"method (*Buffer) UnmarshalText([]byte) error",
		"method (*Coffer) Format(fmt.State, rune)",
		"method (*Coffer) LogValue() slog.Value",
		"method (*Coffer) MarshalText() ([]byte, error)",
		"method (*Coffer) UnmarshalJSON([]byte) error",
		"method (*Coffer) UnmarshalText([]byte) error",
		"method (*Enclave) GoString() string",
		"method (*Enclave) LogValue() slog.Value",
		"method (*Enclave) MarshalText() ([]byte, error)",
		"method (*Enclave) String() string",
		"method (*Enclave) UnmarshalJSON([]byte) error",
		"method (*Enclave) UnmarshalText([]byte) error",
	},
}

func TestDropInExportsAllThatMemguardDoes(t *testing.T) {
	t.Parallel()
	for sub, added := range additions {
		golden := filepath.Join("testdata", strings.ReplaceAll(sub, ".", "memguard")+".api")
		if dir, err := memguardDir(); err != nil {
			t.Logf("SKIPPED: the golden list %s is not compared with memguard's source: %v", golden, err)
		} else {
			theirs := strings.Join(exported(t, filepath.Join(dir, sub)), "\n") + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(theirs), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if theirs != string(readGolden(t, golden)) {
				t.Errorf("%s is not what memguard exports; run the test with -update", golden)
			}
		}
		want := strings.Split(strings.TrimSpace(string(readGolden(t, golden))), "\n")
		got := exported(t, filepath.Join("..", "..", "..", "enclave", "memguard", sub))
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("%s lacks %s", sub, line)
			}
		}
		for _, line := range got {
			if !slices.Contains(want, line) && !slices.Contains(added, line) {
				t.Errorf("%s also has %s", sub, line)
			}
		}
	}
}

// readGolden returns a golden file, with a checkout's line ends undone.
func readGolden(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
}

// memguardDir asks the go command where the module's source lies.
func memguardDir() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/awnumar/memguard").Output()
	if err != nil {
		return "", err
	}
	dir := strings.TrimSpace(string(out))
	_, err = os.ReadDir(dir)
	return dir, err
}

// exported returns what the package in dir exports, one a line, sorted, without
// the names of parameters. An embedded type that is not exported counts as what
// it embeds itself.
func exported(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	fset := token.NewFileSet()
	p := &surface{t: t, fset: fset, structs: map[string]*ast.StructType{}}
	var decls []ast.Decl
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		decls = append(decls, file.Decls...)
	}
	for _, d := range decls {
		p.findStructs(d)
	}
	for _, d := range decls {
		p.add(d)
	}
	slices.Sort(p.lines)
	return slices.Compact(p.lines)
}

// A surface collects a package's exported declarations.
type surface struct {
	t       *testing.T
	fset    *token.FileSet
	structs map[string]*ast.StructType
	lines   []string
}

func (p *surface) findStructs(d ast.Decl) {
	if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
		for _, spec := range g.Specs {
			s := spec.(*ast.TypeSpec)
			if fields, ok := s.Type.(*ast.StructType); ok {
				p.structs[s.Name.Name] = fields
			}
		}
	}
}

func (p *surface) add(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() {
			return
		}
		if d.Recv == nil {
			p.line("func %s%s", d.Name.Name, p.signature(d.Type))
			return
		}
		recv := p.source(d.Recv.List[0].Type)
		if ast.IsExported(strings.TrimPrefix(recv, "*")) {
			p.line("method (%s) %s%s", recv, d.Name.Name, p.signature(d.Type))
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() {
						p.line("%s %s", d.Tok, name.Name)
					}
				}
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					p.line("type %s", s.Name.Name)
					p.fields(s.Name.Name, p.structs[s.Name.Name])
				}
			}
		}
	}
}

// fields adds the exported fields of a struct and what it embeds.
func (p *surface) fields(of string, s *ast.StructType) {
	if s == nil {
		return
	}
	for _, f := range s.Fields.List {
		what := p.source(f.Type)
		if len(f.Names) == 0 {
			if inner := p.structs[strings.TrimPrefix(what, "*")]; inner != nil && !ast.IsExported(strings.TrimPrefix(what, "*")) {
				p.fields(of, inner)
			} else {
				p.line("embedded in %s %s", of, what)
			}
		}
		for _, name := range f.Names {
			if name.IsExported() {
				p.line("field %s.%s %s", of, name.Name, what)
			}
		}
	}
}

// signature prints parameters and results by their types alone.
func (p *surface) signature(f *ast.FuncType) string {
	types := func(l *ast.FieldList) (all []string) {
		if l == nil {
			return nil
		}
		for _, field := range l.List {
			for range max(1, len(field.Names)) {
				all = append(all, p.source(field.Type))
			}
		}
		return all
	}
	in, out := strings.Join(types(f.Params), ", "), strings.Join(types(f.Results), ", ")
	switch f.Results.NumFields() {
	case 0:
		return "(" + in + ")"
	case 1:
		return "(" + in + ") " + out
	default:
		return "(" + in + ") (" + out + ")"
	}
}

func (p *surface) line(format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf(format, args...))
}

func (p *surface) source(node ast.Node) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, p.fset, node); err != nil {
		p.t.Fatal(err)
	}
	return b.String()
}

// Every exported name is used by the program that is compiled against both.
func TestTheSameProgramUsesEveryExportedName(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("theirs/surface.go")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^(?:func|var|const|type) (\w+)|^method \((\*?\w+)\) (\w+)`)
	for sub, qualifier := range map[string]string{"memguard": "memguard", "core": "core"} {
		for line := range strings.Lines(string(readGolden(t, filepath.Join("testdata", sub+".api")))) {
			m := name.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			use := qualifier + "." + m[1]
			if m[2] != "" {
				use = "(*" + qualifier + "." + strings.TrimPrefix(m[2], "*") + ")." + m[3]
			}
			if !regexp.MustCompile(regexp.QuoteMeta(use) + `\b`).Match(source) {
				t.Errorf("theirs/surface.go does not use %s", use)
			}
		}
	}
}
