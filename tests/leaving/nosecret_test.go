//go:build !goexperiment.runtimesecret

package leaving

const runtimeSecret = false
