package testenv

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// RunWaiting is m.Run, and ends the process, for tests that mostly wait for processes
// which are at rest: more of them run at once than there are processors, unless -parallel
// says how many.
func RunWaiting(m *testing.M) {
	const flagName = "test.parallel"
	flag.Parse()
	chosen := len(Emulator()) > 0 // there, what runs at once takes longer, and deadlines pass
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == flagName })
	if !chosen {
		if err := flag.Set(flagName, strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
