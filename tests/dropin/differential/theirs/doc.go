// Package theirs plays scripts of calls on memguard. The package ours is the same
// files with the import path changed, as a program is that switches: a test holds
// them to that.
package theirs
