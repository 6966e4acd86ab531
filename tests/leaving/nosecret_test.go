//go:build !goexperiment.runtimesecret

package leaving

const runtimeSecret = false

var allWays = []string{heap, obvious, recommended}
