package vet

import (
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// Escape reports secrets that leave the function in which they are locked, and copies of
// them in ordinary memory. A secret is the slice that Use and its relatives give to their
// function, or the memory of an open buffer. That of a buffer may leave the function,
// unless a Destroy before it, or a deferred one, ends it there.
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
				for _, s := range secretsOf(instr) {
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
	// from is the function or the field of memkeep that it comes from.
	from string
	// borrowed is true for the parameter of a callback, which is wiped when home returns.
	borrowed bool
	// ends are the calls that destroy the buffer, if it is one's memory.
	ends []ssa.CallInstruction
}

// secretsOf returns the secrets that an instruction hands out: a call of one of memkeep's
// functions, or the assignment of a callback to a field of one of its structs.
func secretsOf(instr ssa.Instruction) []secret {
	switch i := instr.(type) {
	case *ssa.Store:
		if field, ok := i.Addr.(*ssa.FieldAddr); ok && isLibraryStruct(field.X.Type()) {
			structure := field.X.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Struct)
			return lent(i.Val, structure.Field(field.Field).Name())
		}
	case ssa.CallInstruction:
		fn, args := callee(i.Common()), arguments(i.Common())
		if !isLibrary(fn) {
			return nil
		}
		if isView(fn) {
			if v := i.Value(); v != nil {
				return []secret{{value: v, home: i.Parent(), from: fn.Name(), ends: destroys(i.Parent(), args[0])}}
			}
			return nil
		}
		var secrets []secret
		for _, arg := range args {
			secrets = append(secrets, lent(arg, fn.Name())...)
		}
		return secrets
	}
	return nil
}

// lent returns the secrets that a callback gets, if v is one whose source is known.
func lent(v ssa.Value, from string) []secret {
	home := function(v)
	if home == nil || len(home.Blocks) == 0 {
		return nil
	}
	params := home.Params
	if home.Signature.Recv() != nil {
		params = params[1:]
	}
	var secrets []secret
	for _, p := range params {
		if isSecret(p.Type()) {
			secrets = append(secrets, secret{value: p, home: home, from: from, borrowed: true})
		}
	}
	return secrets
}

// function returns the function that a value is known to be, or nil.
func function(v ssa.Value) *ssa.Function {
	switch v := v.(type) {
	case *ssa.Function:
		// A method value and an instance of a generic function are wrappers.
		if obj, ok := v.Object().(*types.Func); ok && v.Synthetic != "" {
			return v.Prog.FuncValue(obj)
		}
		return v
	case *ssa.MakeClosure:
		return function(v.Fn)
	case *ssa.ChangeType:
		return function(v.X)
	}
	return nil
}

// destroys returns the calls in fn that destroy a buffer, and those that defer a function
// literal which does so on every path.
func destroys(fn *ssa.Function, buffer ssa.Value) []ssa.CallInstruction {
	var ends []ssa.CallInstruction
	for _, call := range calls(fn) {
		if destroysIt(call, buffer) {
			ends = append(ends, call)
		} else if d, ok := call.(*ssa.Defer); ok {
			literal := function(d.Call.Value)
			if literal != nil && literal.Parent() == fn &&
				slices.ContainsFunc(calls(literal), func(c ssa.CallInstruction) bool { return destroysIt(c, buffer) && isOnEveryPath(c, buffer) }) {
				ends = append(ends, d)
			}
		}
	}
	return ends
}

// isOnEveryPath reports whether a function runs a call before each of its returns, if
// there is a buffer that lives.
func isOnEveryPath(call ssa.CallInstruction, buffer ssa.Value) bool {
	from := call.Block()
	if len(from.Preds) == 1 {
		if branch, ok := lastInstr(from.Preds[0]).(*ssa.If); ok && asksForIt(branch.Cond, buffer) {
			from = from.Preds[0]
		}
	}
	for _, block := range call.Parent().Blocks {
		if _, ok := lastInstr(block).(*ssa.Return); ok && !from.Dominates(block) {
			return false
		}
	}
	return true
}

// asksForIt reports whether a condition is that there is a buffer, or that it lives.
func asksForIt(cond, buffer ssa.Value) bool {
	if call, ok := cond.(*ssa.Call); ok {
		fn, args := callee(&call.Call), arguments(&call.Call)
		return isLibrary(fn) && strings.HasSuffix(fn.Name(), "Alive") && len(args) > 0 && place(args[0]) == place(buffer)
	}
	x, _ := comparedWithNil(cond)
	return x != nil && place(x) == place(buffer)
}

func lastInstr(block *ssa.BasicBlock) ssa.Instruction { return block.Instrs[len(block.Instrs)-1] }

// destroysIt reports whether a call destroys a buffer.
func destroysIt(call ssa.CallInstruction, buffer ssa.Value) bool {
	fn, args := callee(call.Common()), arguments(call.Common())
	return isLibrary(fn) && fn.Name() == "Destroy" && len(args) > 0 && place(args[0]) == place(buffer)
}

// calls returns the calls in a function, deferred ones and goroutines among them.
func calls(fn *ssa.Function) []ssa.CallInstruction {
	var all []ssa.CallInstruction
	for _, block := range fn.Blocks {
		for _, instr := range block.Instrs {
			if call, ok := instr.(ssa.CallInstruction); ok {
				all = append(all, call)
			}
		}
	}
	return all
}

// end says in a message what ends the secret by the time home returns, if instr runs, and
// what to do. It returns "" if the secret may live on.
func (s *secret) end(instr ssa.Instruction) string {
	if s.borrowed {
		return "it is locked only until the function returns: finish with it there"
	}
	for _, call := range s.ends {
		switch call := call.(type) {
		case *ssa.Defer:
			if call.Parent() == instr.Parent() && call.Block().Dominates(instr.Block()) {
				return "the deferred Destroy unmaps it: pass on the buffer instead"
			}
		case *ssa.Call:
			if call.Parent() == instr.Parent() && precedes(call, instr) {
				return "Destroy has unmapped it: pass on the buffer instead"
			}
		}
	}
	return ""
}

// precedes reports whether first has run wherever second runs.
func precedes(first, second ssa.Instruction) bool {
	block := first.Block()
	if block != second.Block() {
		return block.Dominates(second.Block())
	}
	return slices.Index(block.Instrs, first) < slices.Index(block.Instrs, second)
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
		if b, ok := v.Call.Value.(*ssa.Builtin); ok {
			return b.Name() == "append" && onHeap(v.Call.Args[0], seen)
		}
		return copies[symbol(&v.Call)]
	}
	return false
}

// storedOnHeap reports whether all that a local variable ever holds was made in ordinary
// memory.
func storedOnHeap(cell *ssa.Alloc, seen map[ssa.Value]bool) bool {
	values, ok := stored(cell)
	for _, v := range values {
		ok = ok && onHeap(v, seen)
	}
	return ok && len(values) > 0
}
