// Package enclave keeps secrets encrypted in ordinary memory, and decrypts a
// secret into locked memory only while it is in use.
//
// Most programs need only [New] and [Enclave.Use]:
//
//	key, err := enclave.New(secret) // seals the secret and wipes the slice
//	...
//	err = key.Use(func(secret []byte) error {
//		// secret lies in locked, read-only memory until this returns
//		return nil
//	})
//
// [Get] returns a value from Use, [UseAll] opens several secrets at once, and
// [Enclave.Open] returns a [locked.Buffer] that stays open until it is destroyed.
// [Purge] makes every enclave of the default session unreadable, for good: call it when
// the program ends, and when it must give up its secrets at once. Other sessions have
// [Session.Purge].
//
// The package github.com/memkeep/memkeep/enclave/load reads secrets from files,
// the environment and other sources, and follows those that rotate, without
// leaving a copy on the heap.
//
// # Signing
//
// Sign, decrypt and compute MACs with github.com/memkeep/memkeep/enclave/keys, not
// inside Use. Use can't see what its function copies, and the standard library's
// cryptography copies keys: 2,000 signatures with an Ed25519 key that is parsed
// inside Use leave 2,265 pieces of it in ordinary memory. Keys of enclave/keys
// leave none.
//
// Never convert the slice to an ed25519.PrivateKey. It lies outside the Go heap, and
// since Go 1.26 crypto/ed25519 ends the process at such a key. Recover does not help.
//
// # Handing a secret out
//
// Use can't prevent the libraries that its function calls from copying the secret, and
// what they derive from it is often as good, such as the pads of an HMAC key. A scan
// from another process found this many copies of either after 2,000 uses by four
// goroutines and two garbage collections, the range of ten runs:
//
//	MEMKEEP_LONG=1 go test -v -run TestLeaving ./tests/leaving
//
//	                         secret on    inside       inside Use,     recommended
//	                         the heap     Use          runtimesecret
//	bearer token, HTTP/1.1   324–702      196–700      4–7             4–6   enclave/bearer
//	bearer token, HTTP/2     321–815      318–696      5–6             4–6   enclave/bearer
//	PostgreSQL's password    357–545      389–599      342–577         0     enclave/keys/scram
//	webhook, HMAC-SHA-256    291–837      311–2972     0               0     enclave/keys
//	JWT, HS256               345–2169     359–4002     0               0     enclave/keys
//	JWT, EdDSA               4–5          642–2606     274–1746        0     enclave/keys
//	JWT, ES256               3–5          214–407      27–141          0     enclave/keys
//	TLS server, P-256        2–4          62–127       4–75            0     enclave/keys
//	SSH server, Ed25519      2–4          39–198       16–220          0     enclave/keys
//
// The third column is for programs built with GOEXPERIMENT=runtimesecret, with Go 1.26
// and 1.27. With [Config.NoRuntimeSecret], they leave as many copies as the second column
// says.
//
// What remains of a bearer token is in the write buffers of connections. A connection
// for each request does not help: it leaves 2 to 18 copies in freed buffers.
//
// # Protection
//
// A secret at rest is XChaCha20-Poly1305 ciphertext on the Go heap. Its key is
// never stored whole: two shares are kept in separate locked pages and
// re-randomised on a timer. A secret in use lies in a locked page between guard
// pages, and is kept out of swap, core dumps and child processes.
//
// The package does not protect against code that runs in the process, or copies
// that the caller or the standard library makes of a secret.
//
// # The budget
//
// Locked memory (RLIMIT_MEMLOCK on Unix) is capped by [Config.MaxLockedBytes],
// however many secrets there are: a million of them work under a limit of 64 KiB.
// When the budget is used up, [Enclave.Open] returns [ErrExhausted] at once, while Use and
// [Enclave.OpenContext] wait in order of arrival: see [Enclave.Use]. If the system refuses to lock
// memory, the error is a *[LimitError] with the figures; its Remedy method returns
// the commands that raise the limit. Secrets and open buffers are not affected.
//
// Where no memory can be locked, as in some sandboxes and on some platforms, a session
// needs [Config.AllowUnlocked]. Open secrets and the shares of the session key may then
// be written to swap and to a hibernation image. Secrets at rest stay encrypted, and
// guard pages, wiping and the exclusion from dumps stay as they are, except on
// DragonFly, Plan 9, js and wasip1, which have no guard pages and no exclusion.
// Stats.Unlocked reports it.
//
// # Errors
//
// Callers branch on these errors with errors.Is, and on *LimitError with errors.As:
//
//	ErrExhausted    the budget is in use: destroy a buffer, or wait
//	*LimitError     more than the system lets the process lock, or than the budget can hold
//	ErrDestroyed    the enclave or the buffer was destroyed
//	ErrPurged       the session was purged after the enclave was made
//	ErrClosed       the session was closed
//	ErrDecrypt      the ciphertext was modified
//	ErrCorrupted    something wrote outside a buffer's bytes
//	ErrUnsupported  memory can't be locked on this platform: see Config.AllowUnlocked
//	ErrEmpty        there is no secret to seal
//	ErrReadOnly     New can't wipe the secret: use NewCopy
//	ErrNothingRead  the reader gave no secret
//	ErrRedacted     the text is a redacted secret
//
// If a context ends a wait, the error wraps the context's cause.
//
// # Sessions
//
// A [Session] is a key and a budget. The package's functions use the default
// session, which is created on first use. [NewSession] returns one with a key and a
// budget of its own; [SetDefault] puts it behind the package's functions. The
// default session's statistics are Default().Stats().
//
// Importing the package does nothing. No goroutine runs at rest: a timer
// re-randomises the shares.
//
// # Signals
//
// A signal that arrives while a secret is in registers saves them in ordinary
// memory. On Linux and FreeBSD the package overwrites them within a second, unless
// [Config.RefreshInterval] is longer than its default: it
// sends SIGURG, which Go's scheduler uses too, to every thread of the process, at
// most twice a second for all sessions together, and only if a secret was used
// since the last time. Threads of C libraries receive the signal as well, and calls
// such as poll and epoll_wait return EINTR there, in spite of SA_RESTART
// (signal(7)). [Config.NoSignals] turns it off, and so does a program that ignores
// SIGURG.
//
// # With runtime/secret
//
// In a program built with GOEXPERIMENT=runtimesecret (linux/amd64 and
// linux/arm64), Use and UseAll run their function inside [runtime/secret.Do]. It
// erases the stack and the registers that the function used, and what the function
// allocated once that is unreachable, including an error that it returns. It takes
// about 100 ns and makes allocation in the function expensive. Errors and panics pass
// through unchanged.
//
// [Config.NoRuntimeSecret] turns it off for a session, [WithoutRuntimeSecret] for a
// call:
//
//	err = key.UseContext(enclave.WithoutRuntimeSecret(ctx), func(secret []byte) error {
//		return dial(secret) // starts goroutines that live long
//	})
//
// The function then leaves what it leaves in a program built without the experiment.
// There are three reasons to do so. Go has an open report of memory being erased that is
// still in use (https://go.dev/issue/76865), which the tests of this package have not met.
// From Go 1.27 on, goroutines that the function starts
// run inside Do until they end, those of a connection that it opens among them; in Go
// 1.26, Do does not cover them. And in Go 1.26, a call of C inside Do ends the process
// without a message (https://go.dev/issue/78999, fixed in Go 1.27). In a program that is
// built with cgo, packages net and os/user make such calls.
package enclave
