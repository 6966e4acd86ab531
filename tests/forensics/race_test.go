//go:build race

package forensics

const raceEnabled = true
