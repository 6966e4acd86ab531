package vet

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// Unchecked reports calls such as Use, Open and Seal whose error is discarded by a
// statement that is the call alone. An assignment to _ discards it on purpose.
var Unchecked = &analysis.Analyzer{
	Name:     "secreterror",
	Doc:      "report memkeep calls whose error is discarded",
	Requires: []*analysis.Analyzer{inspect.Analyzer, Allow},
	Run:      findUnchecked,
}

func findUnchecked(pass *analysis.Pass) (any, error) {
	if !imports(pass.Pkg) {
		return nil, nil
	}
	nodes := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	nodes.Preorder([]ast.Node{(*ast.ExprStmt)(nil)}, func(n ast.Node) {
		call, ok := ast.Unparen(n.(*ast.ExprStmt).X).(*ast.CallExpr)
		if !ok {
			return
		}
		fn, _ := typeutil.Callee(pass.TypesInfo, call).(*types.Func)
		if isLibrary(fn) && returnsError(fn) && mustCheck(fn.Name()) {
			report(pass, call.Pos(), "the error of %s is discarded: check it, since the call may have done nothing", fn.Name())
		}
	})
	return nil, nil
}

// mustCheck reports whether a function's error means that its work was not done. After
// Destroy and Close, little is left to do.
func mustCheck(name string) bool {
	for _, verb := range []string{"Use", "Get", "Open", "Seal", "New", "Read", "Consume", "Purge", "Wipe"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return false
}
