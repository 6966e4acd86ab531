package testenv

import (
	"errors"
	"time"

	"github.com/memkeep/memkeep/internal/sigframe"
)

// AwaitSweep returns once a session's timer has had the frames of signals swept, which
// it does at most once an interval, and later on a machine that has other work, and the
// threads had an interval to handle the signals: then the process is at rest.
func AwaitSweep() error {
	before := sigframe.Sweeps()
	sigframe.Mark() // not before, lest the sweep that it asks for be missed
	for late := time.Now().Add(time.Minute); sigframe.Sweeps() == before; {
		if time.Now().After(late) {
			return errors.New("no sweep of the frames of signals within a minute")
		}
		time.Sleep(sigframe.Interval / 10)
	}
	time.Sleep(sigframe.Interval)
	return nil
}
