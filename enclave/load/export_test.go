package load

// SetBetween has f run each time between renewing the watches and reading the source.
func (c *RotatingConfig) SetBetween(f func()) { c.between = f }
