package testenv

import "time"

// GiveWay lets others run. In JavaScript, what a file or a timer of the system has to
// say is heard only while no goroutine can run.
func GiveWay() { time.Sleep(time.Nanosecond) }
