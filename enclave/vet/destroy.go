package vet

import (
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// Destroy reports buffers that are discarded, and those that some path through a function
// neither destroys nor passes on. Each keeps locked memory until the session is purged or
// closed. As in lostcancel, main.main may leave that to the end of the process. A test may
// discard a buffer: it expects an error.
var Destroy = &analysis.Analyzer{
	Name:     "bufferdestroy",
	Doc:      "report buffers that are not destroyed on every path",
	Requires: []*analysis.Analyzer{buildssa.Analyzer, Allow},
	Run:      findLeaks,
}

func findLeaks(pass *analysis.Pass) (any, error) {
	if !imports(pass.Pkg) {
		return nil, nil
	}
	for _, fn := range pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).SrcFuncs {
		if fn.Name() == "main" && pass.Pkg.Name() == "main" && fn.Signature.Recv() == nil || purges(fn) {
			continue
		}
		for _, block := range fn.Blocks {
			for _, instr := range block.Instrs {
				if call, ok := instr.(*ssa.Call); ok && makesBuffer(&call.Call, map[*ssa.Function]bool{}) {
					checkDestroyed(pass, call)
				}
			}
		}
	}
	return nil, nil
}

// purges reports whether a function defers what destroys all buffers.
func purges(fn *ssa.Function) bool {
	for _, block := range fn.Blocks {
		for _, instr := range block.Instrs {
			if d, ok := instr.(*ssa.Defer); ok && endsAll(callee(&d.Call)) {
				return true
			}
		}
	}
	return false
}

// makesBuffer reports whether the caller must destroy the first result of a call. seen are
// the functions that have been looked at.
func makesBuffer(call *ssa.CallCommon, seen map[*ssa.Function]bool) bool {
	fn := callee(call)
	if fn == nil {
		return false
	}
	results := fn.Signature().Results()
	if results.Len() == 0 || !isBuffer(results.At(0).Type()) {
		return false
	}
	if isLibrary(fn) {
		return fn.Name() != "Wrap"
	}
	return (results.Len() == 1 || results.Len() == 2 && returnsError(fn)) && opens(function(call.Value), seen)
}

// opens reports whether what a function of the package returns first is nil or a buffer
// that it has made, and that nobody else has.
func opens(fn *ssa.Function, seen map[*ssa.Function]bool) bool {
	if fn == nil || seen[fn] {
		return false
	}
	seen[fn] = true
	found := false
	for _, block := range fn.Blocks {
		ret, ok := lastInstr(block).(*ssa.Return)
		if !ok || isNil(ret.Results[0]) {
			continue
		}
		if found = isUnshared(ret.Results[0], seen); !found {
			return false
		}
	}
	return found
}

// isUnshared reports whether v is a buffer that its function makes, and does no more with
// than to look at it, to destroy it and to return it.
func isUnshared(v ssa.Value, seen map[*ssa.Function]bool) bool {
	call, _ := v.(*ssa.Call)
	if e, ok := v.(*ssa.Extract); ok {
		call, _ = e.Tuple.(*ssa.Call)
	}
	if call == nil || !makesBuffer(&call.Call, seen) {
		return false
	}
	for _, r := range *v.Referrers() {
		if _, ok := r.(*ssa.Return); ok || !endsDuty(v, r) {
			continue
		}
		if end, ok := r.(ssa.CallInstruction); !ok || !destroysIt(end, v) {
			return false
		}
	}
	return true
}

// A search looks for a path on which a buffer is not destroyed.
type search struct {
	buffer ssa.Value
	// errs is the error beside the buffer, in all its variables: where it is not nil,
	// there is no buffer.
	errs map[ssa.Value]bool
	ends map[ssa.Instruction]bool
	seen map[edge]bool
}

// An edge leads from a block to one of its successors.
type edge struct{ from, to *ssa.BasicBlock }

func checkDestroyed(pass *analysis.Pass, call *ssa.Call) {
	s := &search{errs: map[ssa.Value]bool{}, ends: map[ssa.Instruction]bool{}, seen: map[edge]bool{}}
	if _, tuple := call.Type().(*types.Tuple); !tuple {
		s.buffer = call
	} else {
		for _, r := range *call.Referrers() {
			if e, ok := r.(*ssa.Extract); ok && e.Index == 0 {
				s.buffer = e
			} else if ok && isError(e.Type()) {
				s.addError(e)
			}
		}
	}
	if s.buffer == nil || len(*s.buffer.Referrers()) == 0 {
		// A test that discards the buffer expects an error. A call whose results are all
		// ignored is Unchecked's.
		if (s.buffer == call || len(s.errs) > 0 || !isLibrary(callee(&call.Call))) && !inTest(pass, call.Parent()) {
			report(pass, call.Pos(), "the buffer from %s is discarded, and keeps its locked memory: destroy it", callee(&call.Call).Name())
		}
		return
	}
	for _, r := range *s.buffer.Referrers() {
		if endsDuty(s.buffer, r) {
			s.ends[r] = true
		}
	}
	block := call.Block()
	for i, instr := range block.Instrs {
		if instr == call {
			if ret := s.walk(block, i+1, map[ssa.Value]bool{}); ret != nil {
				report(pass, call.Pos(), "the buffer from %s is not destroyed on every path, and one returns at line %d: defer its Destroy",
					callee(&call.Call).Name(), returnLine(pass, ret))
			}
		}
	}
}

// returnLine is the line of a return statement, or of the end of the function.
func returnLine(pass *analysis.Pass, ret *ssa.Return) int {
	pos := ret.Pos()
	if !pos.IsValid() && ret.Parent().Syntax() != nil {
		pos = ret.Parent().Syntax().End()
	}
	return pass.Fset.Position(pos).Line
}

// addError follows the error through what lies in memory: variables, fields and elements.
func (s *search) addError(v ssa.Value) {
	if s.errs[v] {
		return
	}
	s.errs[v] = true
	for _, r := range *v.Referrers() {
		switch r := r.(type) {
		case *ssa.Phi:
			s.addError(r)
		case *ssa.Store:
			for _, load := range loads(r) {
				s.addError(load)
			}
		}
	}
}

// endsDuty reports whether an instruction destroys the buffer, or passes it on to what
// may destroy it.
func endsDuty(buffer ssa.Value, instr ssa.Instruction) bool {
	switch i := instr.(type) {
	case *ssa.BinOp, *ssa.DebugRef:
		return false
	case ssa.CallInstruction:
		fn := callee(i.Common())
		if !isLibrary(fn) || fn.Signature().Recv() == nil || i.Common().Args[0] != buffer {
			return true
		}
		switch fn.Name() {
		case "Alive", "IsAlive", "Mutable", "IsMutable", "Size", "Equal", "EqualTo", "Use",
			"Freeze", "Melt", "Scramble", "Wipe", "Copy", "CopyAt", "Move", "MoveAt":
			return false
		}
		// A view that is kept needs its buffer.
		return !isView(fn) || i.Value() != nil && isKept(i.Value(), map[ssa.Value]bool{})
	}
	return true
}

// isKept reports whether a value is stored, returned or passed on other than as an argument.
func isKept(v ssa.Value, seen map[ssa.Value]bool) bool {
	if seen[v] || v.Referrers() == nil {
		return false
	}
	seen[v] = true
	for _, r := range *v.Referrers() {
		switch r := r.(type) {
		case *ssa.Return, *ssa.Send, *ssa.MapUpdate, *ssa.MakeClosure, *ssa.Go:
			return true
		case *ssa.Store:
			if r.Val == v {
				return true
			}
		case *ssa.Slice, *ssa.ChangeType, *ssa.MakeInterface, *ssa.Phi, *ssa.SliceToArrayPointer:
			if isKept(r.(ssa.Value), seen) {
				return true
			}
		}
	}
	return false
}

// walk returns the return statement at the end of a path from an instruction of the block
// on which nothing ends the duty, or nil. known are the errors that the path has compared
// with nil: whether each is nil.
func (s *search) walk(block *ssa.BasicBlock, from int, known map[ssa.Value]bool) *ssa.Return {
	for _, instr := range block.Instrs[from:] {
		if s.ends[instr] {
			return nil
		}
		switch i := instr.(type) {
		case *ssa.Return:
			return i
		case ssa.CallInstruction:
			if endsAll(callee(i.Common())) {
				return nil
			}
		}
	}
	var cond ssa.Value
	var skip [2]bool
	if branch, ok := lastInstr(block).(*ssa.If); ok {
		cond = branch.Cond
		skip[0], skip[1] = s.absent(cond)
		if isTrue, ok := decided(cond, known); ok {
			skip[0], skip[1] = skip[0] || !isTrue, skip[1] || isTrue
		}
	}
	for i, next := range block.Succs {
		e := edge{block, next}
		if i < len(skip) && skip[i] || s.seen[e] {
			continue
		}
		s.seen[e] = true
		if ret := s.walk(next, 0, learn(e, cond, i == 0, known)); ret != nil {
			return ret
		}
	}
	return nil
}

// decided returns a condition's value, if it compares an error that the path has compared.
func decided(cond ssa.Value, known map[ssa.Value]bool) (value, ok bool) {
	x, equal := comparedWithNil(cond)
	null, ok := known[x]
	return null == equal, ok
}

// learn returns what is known where an edge leads to: what was known, what the condition
// told, and the same of the variables that the edge assigns.
func learn(e edge, cond ssa.Value, isTrue bool, known map[ssa.Value]bool) map[ssa.Value]bool {
	known = maps.Clone(known)
	if x, equal := comparedWithNil(cond); x != nil {
		known[x] = isTrue == equal
	}
	for _, instr := range e.to.Instrs {
		phi, ok := instr.(*ssa.Phi)
		if !ok {
			break
		}
		value := phi.Edges[slices.Index(e.to.Preds, e.from)]
		if null, ok := known[value]; ok {
			known[phi] = null
		} else if isNil(value) {
			known[phi] = true
		} else {
			delete(known, phi)
		}
	}
	return known
}

// comparedWithNil returns what a condition compares with nil, and whether it is true for
// nil. It returns nil for other conditions.
func comparedWithNil(cond ssa.Value) (x ssa.Value, equal bool) {
	c, ok := cond.(*ssa.BinOp)
	if !ok || c.Op != token.EQL && c.Op != token.NEQ {
		return nil, false
	}
	switch {
	case isNil(c.Y):
		return c.X, c.Op == token.EQL
	case isNil(c.X):
		return c.Y, c.Op == token.EQL
	}
	return nil, false
}

// endsAll reports whether a function destroys all buffers, or ends the process.
func endsAll(fn *types.Func) bool {
	return isLibrary(fn) && (fn.Name() == "Purge" || fn.Name() == "Close" || strings.HasPrefix(fn.Name(), "Safe"))
}

// absent reports whether there is no buffer, or whether it is unknown that there is one,
// where the condition is true and where it is false.
func (s *search) absent(cond ssa.Value) (ifTrue, ifFalse bool) {
	switch c := cond.(type) {
	case *ssa.UnOp:
		if c.Op == token.NOT {
			ifFalse, ifTrue = s.absent(c.X)
			return ifTrue, ifFalse
		}
	case *ssa.BinOp:
		switch x, equal := comparedWithNil(c); {
		case x == nil:
		case s.errs[x]:
			return !equal, equal
		case x == s.buffer:
			return equal, !equal
		}
	}
	unknown := s.dependsOn(cond, 6)
	return unknown, unknown
}

func isNil(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && c.Value == nil
}

// dependsOn reports whether a condition is computed from the error, or from whether the
// buffer lives, in at most depth steps.
func (s *search) dependsOn(v ssa.Value, depth int) bool {
	if s.errs[v] {
		return true
	}
	instr, ok := v.(ssa.Instruction)
	if !ok || depth == 0 {
		return false
	}
	if list, ok := v.(*ssa.Alloc); ok {
		return slices.ContainsFunc(elements(list), func(v ssa.Value) bool { return s.dependsOn(v, depth-1) })
	}
	if load, ok := v.(*ssa.UnOp); ok && load.Op == token.MUL {
		if last := lastStore(load); last != nil {
			return s.dependsOn(last.Val, depth-1)
		}
	}
	if call, ok := v.(*ssa.Call); ok && len(call.Call.Args) > 0 && call.Call.Args[0] == s.buffer {
		switch fn := callee(&call.Call); {
		case fn == nil, strings.HasSuffix(fn.Name(), "Alive"), fn.Name() == "Size":
			return true
		}
	}
	for _, op := range instr.Operands(nil) {
		if *op != nil && s.dependsOn(*op, depth-1) {
			return true
		}
	}
	return false
}
