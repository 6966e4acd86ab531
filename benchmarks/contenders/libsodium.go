package contenders

// libsodiumContenders is libsodium in two ways, without their Start: built only
// with the tag libsodium, by cgo.
func libsodiumContenders() []*Contender {
	return []*Contender{
		{
			Name: "libsodium",
			About: "crypto_aead_xchacha20poly1305_ietf at rest; each worker has one sodium_malloc buffer, writable for the decryption, " +
				"read-only while open, then wiped and closed; the key in sodium_malloc memory that stays readable",
			Ways:     []Way{Use},
			Promises: Promises{Encrypted: true, ReadOnly: true, Locks: LocksWorkers, After: map[Way]AfterClose{Use: Faults}},
		},
		{
			Name:     "libsodium/guarded",
			About:    "a sodium_malloc allocation for each secret, never encrypted: sodium_mprotect_readonly while open, sodium_mprotect_noaccess otherwise",
			Ways:     []Way{Use},
			Promises: Promises{ReadOnly: true, Locks: LocksSecrets, After: map[Way]AfterClose{Use: Faults}},
		},
	}
}
