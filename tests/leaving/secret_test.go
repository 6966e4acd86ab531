//go:build goexperiment.runtimesecret

package leaving

const runtimeSecret = true

var allWays = []string{heap, obvious, outside, recommended}
