// Package core is a drop-in replacement for the package of the same name in
// github.com/awnumar/memguard, built on this module's enclave and locked.
//
// It is for programs written for memguard. New programs should use
// [github.com/memkeep/memkeep/enclave], whose calls return errors.
//
// The package [github.com/memkeep/memkeep/enclave/memguard] lists the differences and
// the reasons. Functions that can return an error do so where memguard's core panics:
// [NewBuffer], [Open], [Seal], [NewEnclave] and [Coffer.View] return a
// *[locked.LimitError] if no memory can be locked, and purge nothing.
//
// Some functions are additions. [Session], [Wrap] and [Unwrap] are for programs that
// move to package enclave call by call. Package memguard is built on [OpenFrozen],
// [OpenInto], [ReadFull], [ReadUntil] and [ReadAll].
package core
