//go:build !linux

package platform

import "errors"

// Outside can't tell here.
func Outside([]byte) (readable Answer, why error) { return Unknown, errors.ErrUnsupported }
