// Package keys signs, decrypts and authenticates with keys that never leave locked
// memory.
//
// For most programs this is all there is:
//
//	k, err := keys.Parse(pem) // wipes pem
//	cert := tls.Certificate{Certificate: chain, PrivateKey: k}
//
// A [PrivateKey] is a [crypto.Signer], and goes wherever one does: into a
// tls.Certificate, x509.CreateCertificate, ssh.NewSignerFromSigner. [Generate] makes
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
// TestLeftovers works 2,000 times with a key, from four goroutines, with collections
// meanwhile, and then looks through the process's memory from outside, at rest, for
// the key and what is as good: seed, scalar, prefix, nonces, chaining values, primes,
// exponents, in each form that the code has them, in pieces of 16 bytes. Pieces found
// on linux/amd64 with Go 1.26, once for this package and once for the standard
// library (x/crypto for XChaCha20-Poly1305) with the key parsed inside
// [enclave.Enclave.Use]:
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
//	HMAC-SHA-256         0      0                1,359  0
//	XChaCha20-Poly1305   0      0                767    0
//	parsing PEM          0      0                1,786  125
//	making Ed25519       0      0                128    80
//	making ECDSA P-256   0      0                98     20
//	making RSA 2048      0      0                411    160
//
// The standard library's figures differ from run to run. The command is: go test -v
// -run TestLeftovers, in this package's folder; with GOEXPERIMENT=runtimesecret for
// the other columns. On arm64 it has run under an emulator alone, and finds as little
// in the memory of the emulated process. The emulator's own memory, which is where it
// keeps registers, is left out. On other processors nothing is scanned, and single
// words may stay: there even the cipher is portable Go.
//
// # How
//
// What is sealed is not the key but what the algorithm needs of it, so that seeds
// and MAC keys are in the clear once, when they come in. Hash functions are fed whole
// blocks, put together in locked memory, so that they buffer nothing. Numbers that
// can't be put in locked memory are wiped. The stack is grown before a secret is on
// it, kept from moving, and overwritten afterwards; and on Linux the signal with
// which the runtime preempts goroutines, and saves their registers, is blocked
// meanwhile. Curve and number arithmetic is that of filippo.io's edwards25519, nistec
// and bigmod, which is the standard library's own.
//
// # Limits
//
// While an operation runs, for microseconds, or a millisecond for RSA, parts of the
// key are in ordinary memory and in registers, where a core dump or a debugger finds
// them. Messages, plaintexts and what a program does with the secret of
// [PrivateKey.ECDH] are the caller's. On processors other than amd64 and arm64, and
// on systems other than Linux, single words may be left, where nothing keeps the
// runtime from saving registers.
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
// An Ed25519 signature is deterministic, as RFC 8032 has it, so that a wrong one and
// the right one of the same message give the key away. Verifying it takes more than
// twice as long as signing. What costs little is checked, and [PrivateKey.Sign] returns
// an error if
//
//   - the message changed while it was signed, which takes no more than a program
//     that writes to it;
//   - R is no point of the curve, which any bit that flips in a coordinate during its
//     computation leads to, or is not the point that was computed;
//   - the public key that was hashed is another one;
//   - S, computed again from the hashes, is different.
//
// What is not noticed is a fault that leaves R on the curve, as where another entry of
// a table was taken, one within the hash function, and one in the key itself after it
// was opened. Bits that a test flips in everything else leave no wrong signature:
// TestFaultsNeverLeaveAnEd25519Signature.
//
// # Waiting
//
// Each operation takes a page of locked memory from its session's budget while it
// runs, two or three for parsing a large RSA key, and waits for it like
// [enclave.Enclave.Use]. WithContext bounds the wait; what signs through an interface
// without contexts can be given k.WithContext(ctx).
package keys
