// Package intake reads keys from outside without leaving them on the heap.
//
// A key arrives as a string in base64 inside a JSON object. encoding/json would
// make strings of it, bufio would keep it in a buffer that nobody wipes, and
// both would leave it to the garbage collector. Here the text is read straight
// into locked memory, parsed and unescaped where it lies, and decoded into
// locked memory beside it:
//
//	[ text, MaxText bytes | key, MaxKey bytes ]
//
// What is not read straight from a file, such as a request's body, has been in
// its reader's buffers before: that is for whoever reads it to say.
package intake
