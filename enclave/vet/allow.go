package vet

import (
	"go/ast"
	"go/token"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Allow finds the comments that silence the other analyzers, and reports those that
// give no reason.
var Allow = &analysis.Analyzer{
	Name:       "allowreason",
	Doc:        "report //memkeep:allow comments without a reason",
	Run:        findAllowed,
	ResultType: reflect.TypeFor[allowed](),
}

// allowed are the lines on which nothing is reported, by file.
type allowed map[string]map[int]bool

func findAllowed(pass *analysis.Pass) (any, error) {
	lines := allowed{}
	for _, file := range pass.Files {
		code := codeLines(pass.Fset, file)
		for _, group := range file.Comments {
			for _, comment := range group.List {
				reason, ok := strings.CutPrefix(comment.Text, "//memkeep:allow")
				if !ok || reason != "" && reason[0] != ' ' {
					continue
				}
				// In a test, what analysistest expects follows.
				if reason, _, _ = strings.Cut(reason, "// want"); strings.TrimSpace(reason) == "" {
					pass.Reportf(comment.Pos(), "memkeep:allow silences nothing without a reason: write it on the same line")
					continue
				}
				at := pass.Fset.Position(comment.Pos())
				if !code[at.Line] {
					at.Line++
				}
				if lines[at.Filename] == nil {
					lines[at.Filename] = map[int]bool{}
				}
				lines[at.Filename][at.Line] = true
			}
		}
	}
	return lines, nil
}

// codeLines returns the lines on which an expression or a statement begins or ends.
func codeLines(fset *token.FileSet, file *ast.File) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.File:
		case *ast.Comment, *ast.CommentGroup:
			return false
		default:
			lines[fset.Position(n.Pos()).Line] = true
			lines[fset.Position(n.End()).Line] = true
		}
		return true
	})
	return lines
}

// report reports a mistake, unless a comment allows it. The analyzer of the pass
// requires Allow.
func report(pass *analysis.Pass, pos token.Pos, format string, args ...any) {
	at := pass.Fset.Position(pos)
	if !pass.ResultOf[Allow].(allowed)[at.Filename][at.Line] {
		pass.Reportf(pos, format, args...)
	}
}
