//go:build goexperiment.runtimesecret

package leaving

const runtimeSecret = true
