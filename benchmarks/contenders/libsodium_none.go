//go:build !libsodium || !cgo

package contenders

func libsodium() []*Contender {
	const why = "built without it: needs CGO_ENABLED=1, a C compiler, libsodium-dev and -tags libsodium"
	list := libsodiumContenders()
	for _, c := range list {
		c.Skipped = why
	}
	return list
}
