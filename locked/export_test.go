package locked

// Lane tells tests whether two pools can be told apart on a stack.
func (p *Pool) Lane() uint16 { return uint16(p.lane) }
