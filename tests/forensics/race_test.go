//go:build race && linux && (amd64 || arm64)

package forensics

const raceEnabled = true
