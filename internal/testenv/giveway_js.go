package testenv

import "syscall/js"

// GiveWay lets others run, those that wait for a file or a timer among them: JavaScript
// hears of these only while no goroutine can run.
func GiveWay() {
	heard := make(chan struct{})
	f := js.FuncOf(func(js.Value, []js.Value) any { close(heard); return nil })
	defer f.Release()
	js.Global().Call("setImmediate", f)
	<-heard
}
