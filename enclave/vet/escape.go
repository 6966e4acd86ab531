package vet

import (
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// Escape reports secrets that leave the function in which they are locked, and copies of
// them in ordinary memory. A secret is the slice that Use and its relatives give to their
// function, or the memory of an open buffer. That of a buffer may leave the function,
// unless a deferred Destroy ends it there.
var Escape = &analysis.Analyzer{
	Name:     "secretescape",
	Doc:      "report secrets that outlive their lock, and copies of them on the heap",
	Requires: []*analysis.Analyzer{buildssa.Analyzer, Allow},
	Run:      findEscapes,
}

func findEscapes(pass *analysis.Pass) (any, error) {
	if !imports(pass.Pkg) {
		return nil, nil
	}
	reported := map[token.Pos]bool{}
	for _, fn := range pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).SrcFuncs {
		for _, block := range fn.Blocks {
			for _, instr := range block.Instrs {
				call, ok := instr.(ssa.CallInstruction)
				if !ok || !isLibrary(callee(call.Common())) {
					continue
				}
				for _, s := range secretsOf(call) {
					follow(pass, s, reported)
				}
			}
		}
	}
	return nil, nil
}

// A secret is a value that lies in locked memory.
type secret struct {
	value ssa.Value
	// home is the function that the secret may not leave.
	home *ssa.Function
	// from is the function of memkeep that it comes from.
	from string
	// borrowed is true for the parameter of a callback, which is wiped when home returns.
	borrowed bool
	// ends are the deferred calls that destroy the buffer, if it is one's memory.
	ends []*ssa.Defer
}

// secretsOf returns the secrets that a call of one of memkeep's functions hands out.
func secretsOf(call ssa.CallInstruction) []secret {
	fn := callee(call.Common())
	if isView(fn) {
		if v := call.Value(); v != nil {
			return []secret{{value: v, home: call.Parent(), from: fn.Name(), ends: destroys(call.Common().Args[0])}}
		}
		return nil
	}
	var secrets []secret
	for _, arg := range call.Common().Args {
		home := function(arg)
		if home == nil || len(home.Blocks) == 0 {
			continue
		}
		for _, p := range home.Params {
			if isSecret(p.Type()) {
				secrets = append(secrets, secret{value: p, home: home, from: fn.Name(), borrowed: true})
			}
		}
	}
	return secrets
}

// function returns the function that a value is known to be, or nil.
func function(v ssa.Value) *ssa.Function {
	switch v := v.(type) {
	case *ssa.Function:
		return v
	case *ssa.MakeClosure:
		return v.Fn.(*ssa.Function)
	case *ssa.ChangeType:
		return function(v.X)
	}
	return nil
}

// destroys returns the deferred calls that destroy a buffer.
func destroys(buffer ssa.Value) []*ssa.Defer {
	if buffer.Referrers() == nil {
		return nil
	}
	var ends []*ssa.Defer
	for _, r := range *buffer.Referrers() {
		if d, ok := r.(*ssa.Defer); ok && len(d.Call.Args) > 0 && d.Call.Args[0] == buffer {
			if fn := callee(&d.Call); isLibrary(fn) && fn.Name() == "Destroy" {
				ends = append(ends, d)
			}
		}
	}
	return ends
}

// confined reports whether the secret is gone once home returns, at the latest, if instr
// runs.
func (s *secret) confined(instr ssa.Instruction) bool {
	if s.borrowed {
		return true
	}
	for _, d := range s.ends {
		if instr.Parent() == d.Parent() && d.Block().Dominates(instr.Block()) {
			return true
		}
	}
	return false
}

// lifetime says in a message how long the secret lives.
func (s *secret) lifetime() string {
	if s.borrowed {
		return "it is locked only until the function returns"
	}
	return "the deferred Destroy unmaps it"
}

// inTest reports whether the secrets of fn are test data. Examples are read as programs.
func inTest(pass *analysis.Pass, fn *ssa.Function) bool {
	for fn.Parent() != nil {
		fn = fn.Parent()
	}
	file := pass.Fset.Position(fn.Pos()).Filename
	return strings.HasSuffix(file, "_test.go") && !strings.HasPrefix(fn.Name(), "Example")
}

// within reports whether fn is home, or a function literal inside it.
func within(fn, home *ssa.Function) bool {
	for ; fn != nil; fn = fn.Parent() {
		if fn == home {
			return true
		}
	}
	return false
}

// binding returns what a free variable is bound to in the enclosing function, or nil.
func binding(v *ssa.FreeVar) ssa.Value {
	fn := v.Parent()
	if fn.Parent() == nil {
		return nil
	}
	index := -1
	for i, free := range fn.FreeVars {
		if free == v {
			index = i
		}
	}
	for _, block := range fn.Parent().Blocks {
		for _, instr := range block.Instrs {
			if c, ok := instr.(*ssa.MakeClosure); ok && c.Fn == fn && index >= 0 {
				return c.Bindings[index]
			}
		}
	}
	return nil
}

// variable returns the value that the memory at an address belongs to, and whether a
// pointer was followed on the way.
func variable(addr ssa.Value) (v ssa.Value, indirect bool) {
	for {
		switch a := addr.(type) {
		case *ssa.FieldAddr:
			addr = a.X
		case *ssa.IndexAddr:
			addr = a.X
		case *ssa.Slice:
			addr = a.X
		case *ssa.ChangeType:
			addr = a.X
		case *ssa.UnOp:
			if a.Op != token.MUL {
				return addr, indirect
			}
			addr, indirect = a.X, true
		case *ssa.FreeVar:
			outer := binding(a)
			if outer == nil {
				return addr, indirect
			}
			addr = outer
		default:
			return addr, indirect
		}
	}
}

// onHeap reports whether every byte slice that v may be was made in ordinary memory, by
// the function or by those around it.
func onHeap(v ssa.Value, seen map[ssa.Value]bool) bool {
	if seen[v] {
		return true
	}
	seen[v] = true
	switch v := v.(type) {
	case *ssa.MakeSlice:
		return true
	case *ssa.Const:
		return v.Value == nil
	case *ssa.Slice:
		return onHeap(v.X, seen)
	case *ssa.ChangeType:
		return onHeap(v.X, seen)
	case *ssa.Alloc:
		p, ok := v.Type().Underlying().(*types.Pointer)
		if !ok {
			return false
		}
		if _, array := p.Elem().Underlying().(*types.Array); array {
			return true
		}
		return storedOnHeap(v, seen)
	case *ssa.FreeVar:
		outer := binding(v)
		return outer != nil && onHeap(outer, seen)
	case *ssa.UnOp:
		return v.Op == token.MUL && isBytes(v.Type()) && onHeap(v.X, seen)
	case *ssa.Phi:
		for _, edge := range v.Edges {
			if !onHeap(edge, seen) {
				return false
			}
		}
		return true
	case *ssa.Call:
		b, ok := v.Call.Value.(*ssa.Builtin)
		return ok && b.Name() == "append" && onHeap(v.Call.Args[0], seen)
	}
	return false
}

// storedOnHeap reports whether all that a local variable ever holds was made in ordinary
// memory. What closures store in it is unknown.
func storedOnHeap(cell *ssa.Alloc, seen map[ssa.Value]bool) bool {
	stores := 0
	for _, r := range *cell.Referrers() {
		if store, ok := r.(*ssa.Store); ok && store.Addr == cell {
			if !onHeap(store.Val, seen) {
				return false
			}
			stores++
		}
	}
	return stores > 0
}
