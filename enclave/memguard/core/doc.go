// Package core is the lower half of the drop-in for memguard: what the package
// of the same name in github.com/awnumar/memguard exports, over this module's
// enclave and locked.
//
// It is for programs that were written for memguard. New code imports
// [github.com/memkeep/memkeep/enclave], whose calls return errors.
//
// It behaves as memguard's core does; the differences, and why, are listed in
// [github.com/memkeep/memkeep/enclave/memguard]. Functions that have an error to
// return return it where memguard's core panics: [NewBuffer], [Open], [Seal],
// [NewEnclave] and [Coffer.View] return a *[locked.LimitError] when no memory can
// be locked, and purge nothing.
//
// Some functions are additions. [Session], [Wrap] and [Unwrap] are for programs
// that move over piece by piece; [OpenFrozen], [OpenInto], [ReadFull], [ReadUntil]
// and [ReadAll] are what the package above stands on.
package core
