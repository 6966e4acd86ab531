// Package enclave keeps secrets encrypted in ordinary memory, and decrypts one
// into locked memory only while it is in use.
//
// For most programs three calls are all there is:
//
//	key, err := enclave.New(secret) // seals the secret, and wipes your copy
//	err = key.Use(func(secret []byte) error {
//		// secret is in locked, read-only memory until this returns
//		return nil
//	})
//	enclave.Purge() // the panic button: nothing opens any more
//
// Use is the fast way, and can't leak a buffer. Where a secret must stay open
// across calls, [Enclave.Open] returns a [locked.Buffer], which the caller
// destroys.
//
// # What it promises
//
// A secret at rest is XChaCha20-Poly1305 encrypted on the Go heap. The key is
// never stored whole; two shares are kept in different locked pages, and
// re-randomised on a timer. A secret in use lies in a locked page between guard
// pages, kept out of swap, core dumps and child processes. Locked memory
// (RLIMIT_MEMLOCK on Unix) is capped by a budget, [Config.MaxLockedBytes], however
// many secrets there are: a million of them work under a limit of 64 KiB.
//
// At the budget nothing is lost: Open returns [ErrExhausted], while Use and
// OpenContext wait their turn. If there is no locked memory to be had the error is
// a *[LimitError], which says what ran out, how much was asked for and what the
// limits are, and how to raise them. The errors that callers branch on are listed
// with [ErrEmpty]. A purged session is [ErrPurged], a ciphertext that somebody
// changed [ErrDecrypt].
//
// # What it does not
//
// It can't help against code that runs in the process itself, copies that the
// caller makes of a secret, and copies that the standard library's own
// cryptography makes of what the caller hands it. A private key that is parsed
// inside Use for each signature leaves dozens of copies on the heap, more than a key
// that is parsed once: sign with github.com/memkeep/memkeep/enclave/keys, whose keys
// leave none. Never convert the slice to an ed25519.PrivateKey: since Go 1.26 that
// ends the process. Secrets come in through github.com/memkeep/memkeep/enclave/load
// without touching the heap.
//
// # Signals
//
// A signal that arrives while a secret is in registers leaves them in ordinary
// memory. On Linux and FreeBSD that is overwritten within a second: the library
// sends SIGURG, which Go's scheduler uses too, to every thread of the process, at
// most twice a second for all sessions together, and only if a secret was touched
// since. Threads of C libraries get it as well, and calls such as poll and
// epoll_wait return EINTR there in spite of SA_RESTART (signal(7)).
// [Config.NoSignals] turns it off.
//
// # With runtime/secret
//
// What the function given to Use leaves on its stack, in registers and on the heap is
// its own affair. A program built with GOEXPERIMENT=runtimesecret (Go 1.26, on
// linux/amd64 and linux/arm64) has help: there Use and UseAll run the function
// inside [runtime/secret.Do], which erases the stack and the registers that it
// used before they return, and what it allocated when the collector finds it
// dead, an error that it returns included. It costs some 100 ns, allocating in the
// function becomes dear, and a goroutine that the function starts is not covered.
// Errors and panics pass as they do without it.
//
// # State
//
// Importing the package does nothing. The default session is made on first use. A
// program that wants its own budget makes a session with [NewSession] and uses its
// methods, or puts it behind the package's functions with [SetDefault]. Close ends
// any but the default one. There is no goroutine at rest: a timer re-randomises the
// key's shares.
//
// Fields of a configuration that hold secrets are of type [Text].
package enclave
