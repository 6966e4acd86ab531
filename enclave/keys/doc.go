// Package keys signs, decrypts and authenticates with keys that never leave locked
// memory.
//
// It is a module of its own: go get github.com/memkeep/memkeep/enclave/keys. Most programs
// need only this:
//
//	k, err := keys.Parse(pem) // wipes pem
//	cert := tls.Certificate{Certificate: chain, PrivateKey: k}
//
// A [PrivateKey] is a [crypto.Signer], and goes wherever one does: into a
// tls.Certificate, x509.CreateCertificate, ssh.NewSignerFromSigner. For golang-jwt and
// go-jose, memkeep's tests/jwt has adapters to copy. [Generate] makes
// one, [LoadX509KeyPair] reads one with its certificate. A [MAC] computes HMACs, an
// [AEAD] encrypts with XChaCha20-Poly1305.
//
// # Why not the standard library's
//
// An enclave protects a key until it is used. Then crypto/ed25519 and crypto/ecdsa
// keep the key in a cache on the heap, crypto/hmac keeps it in two blocks, crypto/rsa
// keeps the primes, and wiping the caller's copy reaches none of them. An
// ed25519.PrivateKey in locked memory ends the program since Go 1.26.
//
// TestLeftovers uses a key 2,000 times, from four goroutines, while the garbage
// collector runs. Once the process is at rest, the test searches its memory from
// another process for pieces of 16 bytes of the key and of whatever gives it away:
// seed, scalar, prefix, nonces, chaining values, primes and exponents, in each form
// that the code uses. The table counts the pieces found on linux/amd64 with Go 1.26,
// for this package and for the standard library (x/crypto for XChaCha20-Poly1305) with
// the key parsed inside [enclave.Enclave.Use]:
//
//	                     this package            standard library
//	                     plain  runtimesecret    plain  runtimesecret
//	Ed25519              0      0                2,265  84
//	ECDSA P-256          0      0                1,075  90
//	ECDSA P-384          0      0                674    19
//	ECDH P-256           0      0                132    0
//	X25519               0      0                141    0
//	RSA 2048, sign       0      0                1,720  0
//	RSA 2048, OAEP       0      0                3,088  0
//	RSA 3072, sign       0      0                425    0
//	RSA 3072, OAEP       0      0                1,279  0
//	RSA 4096, sign       0      0                452    0
//	RSA 4096, OAEP       0      0                191    0
//	HMAC-SHA-256         0      0                1,359  0
//	XChaCha20-Poly1305   0      0                767    0
//	parsing PEM          0      0                1,786  125
//	rejecting keys       0      0                544    0
//	rejecting RSA keys   0      0                985    0
//	making Ed25519       0      0                128    80
//	making ECDSA P-256   0      0                98     20
//	making RSA 2048      0      0                411    160
//
// The standard library's figures differ from run to run. The command is: MEMKEEP_LONG=1 go
// test -v -run TestLeftovers, in this package's folder; with GOEXPERIMENT=runtimesecret
// for the other columns. RSA keys of 3,072 and 4,096 bits are used 640 and 320 times;
// these and the rejected RSA keys need MEMKEEP_LONG. Other keys are rejected 1,000 times,
// and a few RSA keys are made. The rejected keys are real ones with one damage each, from
// a changed byte of base64 to another key's public half. 50 runs of all but RSA (go test
// -count=50 -short -run TestLeftovers) found nothing of this package's keys. On arm64 it
// has run only under an emulator, where as many runs found nothing in the memory of the
// emulated process; the emulator's own memory, where it keeps registers, is not scanned.
// Other processors are not scanned, and single words may stay there: even the cipher is
// portable Go.
//
// # How
//
// The package seals what the algorithm needs of a key rather than the key, so seeds
// and MAC keys are in the clear only once, when they come in. It assembles the blocks
// for hash functions in locked memory, so the hash functions buffer nothing. It wipes
// numbers that can't be in locked memory. It grows the stack before a secret is on
// it, keeps it from moving, and overwrites it afterwards, and it clears the registers; on
// Linux it blocks the signal with which the runtime preempts goroutines and saves their
// registers, except for a MAC on amd64, where blocking it would take longer than the MAC itself.
// The arithmetic on curves and numbers is that of filippo.io's edwards25519, nistec and
// bigmod, which the standard library shares.
//
// # Limits
//
// While an operation runs, for microseconds, or a millisecond for RSA, parts of the
// key are in ordinary memory and in registers, where a core dump or a debugger finds
// them. Messages, plaintexts and what a program does with the secret of
// [PrivateKey.ECDH] are the caller's.
//
// On systems other than Linux, nothing keeps the runtime from preempting an operation
// while registers hold 16 bytes or more of the key, of a nonce or of the secret that
// [PrivateKey.ECDH] agrees on. The runtime saves the registers in ordinary memory, where they
// stay until it saves others in their place: a core dump may have them long after the
// operation. The same can happen to a MAC on amd64, on Linux too, though no scan has
// found it. On Linux and FreeBSD, what other signals save of the registers is overwritten
// by the session's timer, by default within a second. On processors other than amd64 and
// arm64, single words may be left.
//
// A purge disables keys, but not what they have already authenticated: TLS connections
// stay open, and a client with a session ticket can resume without a new signature. Close
// the connections, and set tls.Config.SessionTicketsDisabled if a purge must prevent
// resumption.
//
// RSA keys have two primes, 2,048, 3,072 or 4,096 bits, and a public exponent of at
// least 65,537.
//
// # Faults
//
// A signature that a fault in the processor or in memory made wrong can give its key
// away.
//
// ECDSA nonces are hedged: they are derived from the key, the digest and fresh
// random bytes (RFC 6979, section 3.6, as the standard library has it). No two
// signatures have a nonce in common, so neither a broken random source nor a fault
// gives the key away.
//
// An RSA signature is verified before it is returned.
//
// An Ed25519 signature is deterministic (RFC 8032), so a wrong one and the right one
// of the same message together give the key away. Verifying takes more than twice as
// long as signing, so only what costs little is checked. [PrivateKey.Sign] returns an
// error if
//
//   - the message changed while it was being signed, for which it takes no fault, only
//     a goroutine that writes to it;
//   - R is not on the curve, as after any flipped bit in a coordinate, or is not the
//     point that was computed;
//   - another public key was hashed;
//   - S, computed again from the hashes, differs.
//
// These checks miss a fault that leaves R on the curve, such as the wrong entry of a
// table, a fault within the hash function or in the nonce's digest before it is first
// read, and a fault in the key after it was opened. Bits flipped anywhere else never
// produce a wrong signature: TestFaultsNeverLeaveAnEd25519Signature.
//
// # Waiting
//
// While it runs, each operation takes a page of locked memory from its session's
// budget, or two or three to parse a large RSA key. It waits for them like
// [enclave.Enclave.Use]. WithContext bounds the wait: give k.WithContext(ctx) to code
// that signs through an interface without contexts.
package keys
