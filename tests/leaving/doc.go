// Package leaving measures what is left of a secret in the memory of a process that
// used it with the libraries of others, and runs whole servers that leave nothing.
//
// A child process uses a secret 2,000 times, by four goroutines, against the real other
// side in a process of its own: PostgreSQL, an HTTP API, or clients of its TLS and SSH
// server. The test stops the child and searches all of its memory for the secret, and for what
// would do in its place, whole and in pieces of 16 bytes: at once, and again after two
// garbage collections.
//
//	MEMKEEP_LONG=1 go test -v -run TestLeaving ./tests/leaving
//	GOEXPERIMENT=runtimesecret MEMKEEP_LONG=1 go test -v -run TestLeaving ./tests/leaving
//
// Copies at once → after two collections, in one run of each:
//
//	                         secret on the heap    inside Use      recommended
//	bearer, HTTP/1.1                  833 → 581     853 → 447            6 → 5
//	bearer, HTTP/1.1, no reuse          91 → 17       92 → 21           47 → 5
//	bearer, HTTP/2                    698 → 572     700 → 570            5 → 5
//	pgx, password                     878 → 422    1026 → 455            0 → 0
//	webhook, HMAC                   4592 → 1481    5014 → 575            0 → 0
//	JWT, HS256                      10113 → 340    7786 → 562            2 → 0
//	JWT, EdDSA                            4 → 4   4569 → 1108            0 → 0
//	JWT, ES256                            4 → 4    2120 → 346            0 → 0
//	TLS server, P-256                     5 → 4      438 → 76            0 → 0
//	SSH server, Ed25519                   4 → 2     428 → 277            0 → 0
//
//	GOEXPERIMENT=runtimesecret
//	bearer, HTTP/1.1                  532 → 324       349 → 4            6 → 5
//	bearer, HTTP/1.1, no reuse          95 → 18        84 → 6          52 → 10
//	bearer, HTTP/2                    855 → 572       454 → 5            4 → 4
//	pgx, password                     941 → 352     929 → 448            0 → 0
//	webhook, HMAC                    5288 → 689      4204 → 0            0 → 0
//	JWT, HS256                       8359 → 595       958 → 0            0 → 0
//	JWT, EdDSA                            4 → 4   4132 → 1240            0 → 0
//	JWT, ES256                            4 → 4      847 → 45            0 → 0
//	TLS server, P-256                     4 → 4      212 → 13            0 → 0
//	SSH server, Ed25519                   4 → 4     365 → 140            0 → 0
//
// The recommended way is enclave/bearer for tokens, enclave/keys/scram for PostgreSQL,
// and keys of enclave/keys for the rest. The two that sign with Ed25519 inside Use gain nothing by
// runtimesecret, since a parsed key outlives the function, and neither does pgx, which computes
// outside of it. What is found at once in the recommended way is registers that a signal
// saved, which the library overwrites within a second, and for tokens the write buffers
// of connections.
package leaving
