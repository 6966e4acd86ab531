package forensics

func (c *child) memguard() error { return nil }
func (c *child) newX() error     { return nil }
