// Package ours plays scripts of calls on the drop-in. Its other files are those of
// the package theirs with the import path changed.
package ours
