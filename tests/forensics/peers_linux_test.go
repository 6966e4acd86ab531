//go:build amd64 || arm64

package forensics

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// What the table compares: the same secrets, opened as often, in the ways that
// a program would.

const (
	tableOpens   = 20_000
	tableWorkers = 4
)

// openMany opens every secret again and again from several goroutines, while
// the collector runs now and then.
func openMany(open func(i int) error) error {
	var wg sync.WaitGroup
	failed := make(chan error, tableWorkers)
	for w := range tableWorkers {
		wg.Go(func() {
			for n := range tableOpens / tableWorkers {
				if err := open((n + w) % secrets); err != nil {
					failed <- err
					return
				}
				if n%500 == 0 {
					runtime.GC()
					grow(n / 500 % 20)
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

// finish waits until somebody has looked.
func (c *child) finish() error {
	c.say("resting")
	c.await()
	return nil
}

// memkeep opens with Use and with Open in turn.
func (c *child) memkeep() error {
	if err := c.open(); err != nil {
		return err
	}
	err := openMany(func(i int) error {
		if i%2 == 0 {
			return c.slots[i].Load().Use(c.check(i))
		}
		b, err := c.slots[i].Load().Open()
		if err != nil {
			return err
		}
		return errors.Join(b.Use(c.check(i)), b.Destroy())
	})
	if err != nil {
		return err
	}
	if err := c.coffer.Refresh(); err != nil {
		return err
	}
	c.tellShares()
	return errors.Join(c.finish(), c.session.Close())
}

// newX wipes every plaintext after use, and the key once the cipher has it.
func (c *child) newX() error {
	key := make([]byte, chacha20poly1305.KeySize)
	putWords(key, &c.board.maskedNewX[0])
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return err
	}
	clear(key)
	var sealed [secrets][]byte
	for i := range sealed {
		nonce := make([]byte, chacha20poly1305.NonceSizeX)
		rand.Read(nonce)
		plaintext := make([]byte, size(i))
		putWords(plaintext, c.masked(i))
		sealed[i] = aead.Seal(nonce, nonce, plaintext, nil)
		clear(plaintext)
		copy(c.board.peer[i][:], sealed[i])
	}
	err = openMany(func(i int) error {
		plaintext, err := aead.Open(nil, sealed[i][:24], sealed[i][24:], nil)
		if err != nil {
			return err
		}
		defer clear(plaintext)
		if !holds(plaintext, c.masked(i)) {
			return fmt.Errorf("secret %d: %w", i, errWrongSecret)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = c.finish()
	runtime.KeepAlive(aead)
	return err
}
