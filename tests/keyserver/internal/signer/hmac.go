package signer

import "crypto/sha256"

const (
	macSize = sha256.Size

	innerPad = 0x36
	outerPad = 0x5c
)

// expandHMAC writes the chaining values after the key's inner and outer block
// to the workspace's sealed area.
func (w *worker) expandHMAC(key []byte) {
	if len(key) > sha256.BlockSize {
		key = w.hashKey(key)
	}
	w.padKey(w.ws.sealed[:macSize], key, innerPad)
	w.padKey(w.ws.sealed[macSize:], key, outerPad)
}

// hashKey returns the digest of a key that is longer than a block, in the
// workspace.
func (w *worker) hashKey(key []byte) []byte {
	w.sha256.h.Reset()
	// The key takes the place of the message, which need not be public: whole
	// blocks are hashed where they are, and the rest is padded in the workspace.
	digest := w.sha256.finish(&w.ws, 0, nil, key)
	return w.ws.digest[:copy(w.ws.digest, digest)]
}

// padKey hashes one block, the key XORed with a pad, and writes the chaining
// value to dst.
func (w *worker) padKey(dst, key []byte, pad byte) {
	block := w.ws.block[:sha256.BlockSize]
	clear(block)
	copy(block, key)
	for i := range block {
		block[i] ^= pad
	}
	w.sha256.h.Reset()
	w.sha256.h.Write(block)
	copy(dst, w.sha256.save(&w.ws))
	w.sha256.forget()
}

// mac returns the message's HMAC, in the workspace.
func (w *worker) mac(secret, message []byte) []byte {
	inner := w.resume(secret[:macSize], nil, message)
	copy(w.ws.digest, inner)
	return w.resume(secret[macSize:], w.ws.digest[:macSize], nil)
}

// resume hashes head and message behind the block that led to the chaining
// value.
func (w *worker) resume(chain, head, message []byte) []byte {
	if err := w.sha256.load(&w.ws, chain); err != nil {
		// The self-test restored such a state.
		panic("signer: internal error: " + err.Error())
	}
	return w.sha256.finish(&w.ws, sha256.BlockSize, head, message)
}
