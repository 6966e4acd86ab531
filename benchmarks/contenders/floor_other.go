//go:build !(linux && (amd64 || arm64 || riscv64))

package contenders

import "errors"

const floorSkipped = "the floor is measured on Linux with amd64, arm64 and riscv64"

func newFloorStore() (Store, error) { return nil, errors.ErrUnsupported }
