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
// In a program built with GOEXPERIMENT=runtimesecret, where Use runs its function inside
// runtime/secret.Do unless enclave.Config.NoRuntimeSecret is set, with Go 1.26.8:
//
//	                     secret on the heap   inside Use      NoRuntimeSecret  recommended
//	bearer, HTTP/1.1             825 → 323     322 → 6             833 → 452         6 → 6
//	bearer, HTTP/1.1, no reuse    107 → 17      67 → 7               82 → 20        48 → 5
//	bearer, HTTP/2               673 → 673     462 → 5             875 → 570         5 → 4
//	pgx, password                851 → 385   842 → 452             842 → 489         0 → 0
//	webhook, HMAC               5762 → 559    4180 → 0            5165 → 740         0 → 0
//	JWT, HS256                  8312 → 583    4664 → 0            8048 → 538         0 → 0
//	JWT, EdDSA                       6 → 4  4002 → 754           4021 → 1004         0 → 0
//	JWT, ES256                       4 → 4  1406 → 149            1925 → 225         0 → 0
//	TLS server, P-256                4 → 4    168 → 13              437 → 87         0 → 0
//	SSH server, Ed25519              4 → 2    360 → 24              379 → 79         0 → 0
//
// With Go 1.27.4:
//
//	bearer, HTTP/1.1             829 → 450     359 → 5             824 → 572         5 → 4
//	bearer, HTTP/1.1, no reuse     97 → 23      66 → 3               81 → 15        43 → 8
//	bearer, HTTP/2               698 → 446      52 → 5             700 → 571         4 → 4
//	pgx, password                823 → 445   874 → 337             891 → 558         0 → 0
//	webhook, HMAC               5325 → 338    4279 → 0            5214 → 393         0 → 0
//	JWT, HS256                 8935 → 1093    3428 → 0            8831 → 592         0 → 0
//	JWT, EdDSA                       7 → 7  3870 → 865           4765 → 1042         0 → 0
//	JWT, ES256                       4 → 4  1436 → 158            2107 → 315         0 → 0
//	TLS server, P-256                4 → 4    219 → 13              414 → 84         0 → 0
//	SSH server, Ed25519              4 → 4   397 → 166              395 → 77         0 → 0
//
// The recommended way is enclave/bearer for tokens, enclave/keys/scram for PostgreSQL,
// and keys of enclave/keys for the rest. The two that sign with Ed25519 inside Use gain nothing by
// runtimesecret, since a parsed key outlives the function, and neither does pgx, which computes
// outside of it. What is found at once in the recommended way is registers that a signal
// saved, which the library overwrites within a second, and for tokens the write buffers
// of connections.
//
// What brings the copies down where a library has to see the secret: fewer connections,
// since each has buffers of its own, and with HTTP/2 no table of headers sent before, which
// enclave/bearer turns off. DisableKeepAlives, "no reuse", does not help: each request has
// a new connection, whose buffers are freed with the token in them. Nor does a password
// that is fetched for each connection by pgx's BeforeConnect, which is the way of its row
// inside Use.
package leaving
