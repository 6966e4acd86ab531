package vet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// Unchecked reports calls such as Use, Seal and Verify whose error is discarded by a
// statement that is the call alone, or by a go statement. An assignment to _ discards it
// on purpose. After Destroy and Close, little is left to do: their errors may go unchecked.
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
	nodes.Preorder([]ast.Node{(*ast.ExprStmt)(nil), (*ast.GoStmt)(nil)}, func(n ast.Node) {
		var call *ast.CallExpr
		switch n := n.(type) {
		case *ast.ExprStmt:
			call, _ = ast.Unparen(n.X).(*ast.CallExpr)
		case *ast.GoStmt:
			call = n.Call
		}
		if call == nil {
			return
		}
		fn, _ := typeutil.Callee(pass.TypesInfo, call).(*types.Func)
		if isLibrary(fn) && returnsError(fn) && fn.Name() != "Destroy" && fn.Name() != "Close" {
			report(pass, call.Pos(), "the error of %s is discarded: check it, or a failure goes unnoticed", fn.Name())
		}
	})
	return nil, nil
}
