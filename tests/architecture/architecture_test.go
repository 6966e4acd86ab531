// Package architecture holds the project to its shape: which way imports go,
// what the root module requires, and what it exports.
package architecture

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

const (
	module = "github.com/memkeep/memkeep"
	root   = "../.."
)

// layers of the library from the top down: a package imports only from layers
// below its own.
var layers = []string{"enclave", "coffer", "locked", "internal"}

// outside is what a package may import besides the standard library and the
// layers below. Tests may import more, but never what go.mod lacks.
var outside = map[string][]string{
	"internal/page":     {"golang.org/x/sys/unix", "golang.org/x/sys/windows", "github.com/awnumar/memcall"},
	"internal/platform": {"golang.org/x/sys/unix", "golang.org/x/sys/windows"},
	"internal/harden":   {"golang.org/x/sys/unix", "golang.org/x/sys/windows"},
	"internal/random":   {"golang.org/x/sys/unix", "golang.org/x/sys/windows"},
	"internal/xchacha":  {"golang.org/x/crypto/", "golang.org/x/sys/cpu"},
	// What package os does not know: terminals, inotify, what a mount is.
	"enclave/load": {"golang.org/x/sys/unix", "golang.org/x/sys/windows"},
	// What memguard's callers may have sealed with keys of their own.
	"enclave/memguard/core": {"golang.org/x/crypto/nacl/secretbox", "golang.org/x/crypto/blake2b"},
}

// facade is the drop-in's packages from the top down, which lie within the
// topmost layer: each may import those after it, and nothing imports them.
var facade = []string{"enclave/memguard", "enclave/memguard/core"}

// requirements of the root module, tests included.
var requirements = []string{"github.com/awnumar/memcall", "golang.org/x/crypto", "golang.org/x/sys"}

// topLevel is everything that may lie in the root folder besides dot-files.
var topLevel = []string{
	"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md",
	"benchmarks", "coffer", "enclave", "go.mod", "go.sum", "go.work", "go.work.sum", "internal", "locked", "tests",
}

// layerOf returns the index of the layer that a folder belongs to.
func layerOf(dir string) int {
	first, _, _ := strings.Cut(filepath.ToSlash(dir), "/")
	return slices.Index(layers, first)
}

// sources calls f with every Go file of the library's layers.
func sources(t *testing.T, f func(dir, path string, file *ast.File)) {
	t.Helper()
	for _, layer := range layers {
		err := filepath.WalkDir(filepath.Join(root, layer), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), "_") || isModule(path)) {
				return filepath.SkipDir
			}
			if d.IsDir() || filepath.Ext(path) != ".go" {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			dir, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			f(filepath.ToSlash(dir), path, file)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// isModule reports whether a folder is a module of its own, with requirements of
// its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	seen := 0
	sources(t, func(dir, path string, file *ast.File) {
		seen++
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := forbidden(dir, imported, strings.HasSuffix(path, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", path, imported, why)
			}
		}
	})
	if seen < 20 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// forbidden says why a file of dir may not import the package, or nothing.
func forbidden(dir, imported string, test bool) string {
	if inside, ok := strings.CutPrefix(imported, module+"/"); ok {
		from, to := layerOf(dir), layerOf(inside)
		if at := slices.Index(facade, inside); at >= 0 && inside != dir {
			if above := slices.Index(facade, dir); above >= 0 && above < at {
				return ""
			}
			return "it is for programs written for memguard"
		}
		switch {
		case to < 0:
			return "it is no part of the library"
		case test && from == layerOf("internal"):
			return ""
		case test && inside == dir:
			return ""
		case to < from:
			return fmt.Sprintf("%s lies below %s", layers[from], layers[to])
		case to == from && from != layerOf("internal") && !strings.HasPrefix(dir, inside+"/"):
			return "a package of the same layer"
		case inside == "internal/testenv" && !test && dir != inside:
			return "it is for tests"
		}
		return ""
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return ""
	}
	allowed := outside[dir]
	if test || dir == "internal/testenv" {
		allowed = requirements
	}
	for _, prefix := range allowed {
		if imported == strings.TrimSuffix(prefix, "/") || strings.HasPrefix(imported, strings.TrimSuffix(prefix, "/")+"/") {
			return ""
		}
	}
	return "only what asks the system, the cipher and the drop-in may import from outside, each what it needs"
}

// The rules themselves are tried on imports that break them.
func TestWrongImportsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dir, imported string }{
		{"locked", module + "/coffer"},
		{"locked", module + "/enclave"},
		{"coffer", module + "/enclave"},
		{"internal/page", module + "/locked"},
		{"enclave", module + "/tests/keyserver"},
		{"enclave", module + "/internal/testenv"},
		{"enclave", "golang.org/x/sys/unix"},
		{"locked", "github.com/awnumar/memcall"},
		{"locked/doctor", "golang.org/x/sys/unix"},
		{"internal/harden", "github.com/awnumar/memcall"},
		{"coffer", "golang.org/x/crypto/chacha20"},
		{"internal/page", "github.com/awnumar/memguard"},
		{"enclave", module + "/enclave/memguard"},
		{"enclave", module + "/enclave/memguard/core"},
		{"enclave/memguard/core", module + "/enclave/memguard"},
		{"enclave", module + "/enclave/load"},
		{"enclave/load", module + "/enclave/memguard"},
		{"enclave/load", "golang.org/x/term"},
		{"enclave/memguard", "golang.org/x/crypto/blake2b"},
		{"enclave/memguard/core", "golang.org/x/crypto/argon2"},
		{"enclave/memguard", "github.com/awnumar/memguard"},
	} {
		if forbidden(c.dir, c.imported, false) == "" {
			t.Errorf("%s may import %s", c.dir, c.imported)
		}
	}
}

func TestRootModuleRequiresThreeModulesAndNothingElse(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range mod.Require {
		got = append(got, r.Mod.Path)
	}
	slices.Sort(got)
	if !slices.Equal(got, requirements) {
		t.Errorf("go.mod requires %v, may require %v", got, requirements)
	}
	if len(mod.Replace) > 0 || mod.Toolchain != nil || len(mod.Tool) > 0 {
		t.Error("go.mod has a replace, toolchain or tool line")
	}
	if !strings.HasPrefix(mod.Go.Version, "1.26") {
		t.Errorf("go %s: the last two releases are supported", mod.Go.Version)
	}
}

func TestOnlyTheAnalyzersRequireTheAnalysisFramework(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		t.Fatal(err)
	}
	work, err := modfile.ParseWork("go.work", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	var with []string
	for _, use := range work.Use {
		raw, err := os.ReadFile(filepath.Join(root, use.Path, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		mod, err := modfile.ParseLax("go.mod", raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range mod.Require {
			if r.Mod.Path == "golang.org/x/tools" {
				with = append(with, use.Path)
			}
		}
	}
	if !slices.Equal(with, []string{"./enclave/vet"}) {
		t.Errorf("golang.org/x/tools is required by %v", with)
	}
}

func TestRootFolderHoldsNothingElse(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			t.Errorf("%s has no place in the root folder", name)
		}
	}
}

var update = flag.Bool("update", false, "write the golden files of the exported API")

func TestExportedAPIIsTheGoldenOne(t *testing.T) {
	t.Parallel()
	for _, pkg := range []string{
		"enclave", "enclave/load", "enclave/bearer", "enclave/enclaveprom", "enclave/keys", "enclave/keys/scram", "enclave/vet", "locked", "coffer",
		"enclave/memguard", "enclave/memguard/core",
	} {
		got := exported(t, filepath.Join(root, pkg))
		golden := filepath.Join("testdata", strings.ReplaceAll(pkg, "/", "_")+".api")
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		// A checkout may have the line ends of its system.
		want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
		if !bytes.Equal(got, want) {
			t.Errorf("the API of %s changed; if it was meant to, run the test with -update:\n%s", pkg, difference(want, got))
		}
	}
}

// exported returns the package's exported declarations, one a line, sorted.
func exported(t *testing.T, dir string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	lines := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if !ast.FileExports(file) {
			continue
		}
		for _, decl := range file.Decls {
			for _, line := range declared(t, fset, decl) {
				lines[line] = true
			}
		}
	}
	var sorted []string
	for line := range lines {
		sorted = append(sorted, line)
	}
	slices.Sort(sorted)
	return []byte(strings.Join(sorted, "\n") + "\n")
}

// declared returns what decl exports.
func declared(t *testing.T, fset *token.FileSet, decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && !exportedReceiver(d.Recv.List[0].Type) {
			return nil
		}
		return []string{source(t, fset, &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})}
	case *ast.GenDecl:
		var lines []string
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				lines = append(lines, typeLines(t, fset, s)...)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					line := d.Tok.String() + " " + name.Name
					if s.Type != nil {
						line += " " + source(t, fset, s.Type)
					}
					lines = append(lines, line)
				}
			}
		}
		return lines
	}
	return nil
}

// exportedReceiver reports whether a method's type is one that others see.
func exportedReceiver(receiver ast.Expr) bool {
	switch r := receiver.(type) {
	case *ast.StarExpr:
		return exportedReceiver(r.X)
	case *ast.IndexExpr:
		return exportedReceiver(r.X)
	case *ast.Ident:
		return r.IsExported()
	}
	return true
}

// typeLines returns a type and its exported fields.
func typeLines(t *testing.T, fset *token.FileSet, s *ast.TypeSpec) []string {
	fields, ok := s.Type.(*ast.StructType)
	if !ok {
		return []string{"type " + s.Name.Name + " " + source(t, fset, s.Type)}
	}
	lines := []string{"type " + s.Name.Name + " struct"}
	for _, f := range fields.Fields.List {
		for _, name := range f.Names {
			lines = append(lines, fmt.Sprintf("field %s.%s %s", s.Name.Name, name.Name, source(t, fset, f.Type)))
		}
	}
	return lines
}

func source(t *testing.T, fset *token.FileSet, node ast.Node) string {
	t.Helper()
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, node); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// difference lists the lines that only one side has.
func difference(want, got []byte) string {
	was, is := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	var out []string
	for _, line := range was {
		if !slices.Contains(is, line) {
			out = append(out, "- "+line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			out = append(out, "+ "+line)
		}
	}
	return strings.Join(out, "\n")
}
