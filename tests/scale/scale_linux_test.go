// Package scale proves the library's bounds at the size of a real server: a
// million secrets, a thousand goroutines, under the limit on locked memory that
// an unconfigured container gives. Each test runs in a process of its own,
// exempt from nothing.
//
//	MEMKEEP_LONG=1 go test -v ./tests/scale    # what the README says of it
package scale

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// limit is what docker and older systems let a process lock.
var limit = testenv.SmallLimit()

// scaled is n in the tests' long form, and otherwise a part of it. The short part
// is for where everything takes many times as long: under the race detector and on
// emulated processors, which run with -short.
func scaled[T int | time.Duration](n, part, short T) T {
	switch {
	case testing.Short():
		return n / short
	case testenv.Long():
		return n
	}
	return n / part
}

// heapInUse returns the bytes of live heap objects and the objects ever made.
func heapInUse() (live, mallocs uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.Mallocs
}

// scannable returns how many bytes of heap the collector looks for pointers in.
func scannable() uint64 {
	runtime.GC()
	s := []metrics.Sample{{Name: "/gc/scan/heap:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func TestMillionSecretsUnderTheSmallestLimit(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	const size = 32
	secrets := scaled(1_000_000, 1, 50)
	// Sealing and Use call no system, Open does: of every so many secrets one is
	// opened, and the others are used.
	opened := secrets / scaled(500_000, 25, 50)
	enclaves := make([]*enclave.Enclave, secrets)
	secret := make([]byte, size)
	fill := func(i int) {
		clear(secret)
		binary.LittleEndian.PutUint64(secret[8:], uint64(i))
	}
	check := func(i int, got []byte) error {
		if len(got) != size || binary.LittleEndian.Uint64(got[8:]) != uint64(i) {
			return fmt.Errorf("secret %d is %x", i, got)
		}
		return nil
	}
	scanned := scannable()
	live, mallocs := heapInUse()
	for i := range enclaves {
		fill(i)
		e, err := enclave.New(secret)
		if err != nil {
			t.Fatalf("sealing secret %d: %v", i, err)
		}
		enclaves[i] = e
	}
	liveAfter, mallocsAfter := heapInUse()
	if more := int64(scannable() - scanned); more > int64(secrets) {
		t.Errorf("the collector scans %d bytes more for %d secrets: there are pointers in them", more, secrets)
	}
	perSecret := float64(liveAfter-live) / float64(secrets)
	perSeal := float64(mallocsAfter-mallocs) / float64(secrets)
	for i, e := range enclaves {
		var err error
		if i%opened != 0 {
			err = e.Use(func(got []byte) error { return check(i, got) })
		} else if b, openErr := e.Open(); openErr != nil {
			err = openErr
		} else if err = b.Use(func(got []byte) error { return check(i, got) }); err == nil {
			err = b.Destroy()
		}
		if err != nil {
			t.Fatalf("opening secret %d: %v", i, err)
		}
	}
	locked := testenv.LockedBytes(t)
	stats := enclave.Default().Stats()
	t.Logf("%d secrets: %.1f bytes of heap and %.2f allocations each, %d bytes locked, at most %d by Stats",
		secrets, perSecret, perSeal, locked, stats.LockedBytesPeak)
	if locked > limit || stats.LockedBytesPeak > limit || stats.LockedBytes != locked {
		t.Errorf("%d bytes locked, limit %d, %+v", locked, limit, stats)
	}
	// The session itself takes a few KiB.
	if most := 65*uint64(secrets) + 64<<10; liveAfter-live > most {
		t.Errorf("%.1f bytes of heap for a secret of %d bytes, %d in all, at most %d", perSecret, size, liveAfter-live, most)
	}
	// So do a refresh of the shares, twice a second, and the race detector.
	if other := 64 * float64(stats.Refreshes) / float64(secrets); perSeal > 1.01+other && !testenv.Race {
		t.Errorf("%.2f allocations for a seal, at most 1, after %d refreshes", perSeal, stats.Refreshes)
	}
	opens := uint64(secrets / opened)
	if stats.Seals != uint64(secrets) || stats.Opens != opens || stats.Uses != uint64(secrets)-opens || stats.Failures != 0 || stats.OpenBuffers != 0 {
		t.Errorf("%+v", stats)
	}
	runtime.KeepAlive(enclaves)
}

func TestThousandGoroutinesUnderTheSmallestLimitAllGetTheirTurn(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	const goroutines = 1000
	duration := scaled(30*time.Second, 6, 10)
	secret := []byte("one of a few shared signing keys")
	e, err := enclave.New(slices.Clone(secret))
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	check := func(got []byte) error {
		if string(got) != string(secret) {
			return fmt.Errorf("got %x", got)
		}
		return nil
	}
	// A turn is a Use and an OpenContext: their waits are of two kinds, so that the
	// median of all calls together would lie between them and say nothing.
	open := func() error {
		b, err := e.OpenContext(context.Background())
		if err != nil {
			return err
		}
		return errors.Join(b.Use(check), b.Destroy())
	}
	waits := make([][]time.Duration, goroutines)
	end := time.Now().Add(duration)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for time.Now().Before(end) {
				start := time.Now()
				if err := errors.Join(e.Use(check), open()); err != nil {
					t.Errorf("goroutine %d: %v", g, err)
					return
				}
				waits[g] = append(waits[g], time.Since(start))
			}
		})
	}
	wg.Wait()

	var all []time.Duration
	fewest := len(waits[0])
	for _, w := range waits {
		all = append(all, w...)
		fewest = min(fewest, len(w))
	}
	slices.Sort(all)
	median, slow, slowest := all[len(all)/2], all[len(all)-1-len(all)/1000], all[len(all)-1]
	stats := enclave.Default().Stats()
	t.Logf("%d turns in %v, at least %d for each goroutine; median %v, slowest %v (%.1f×); at most %d bytes locked",
		len(all), duration, fewest, median, slowest, float64(slowest)/float64(median), stats.LockedBytesPeak)
	// A processor that others use as well decides who waits in a short run, and for how
	// long a turn or two in a long one.
	if slow > 100*median && testenv.Long() {
		t.Errorf("one turn in a thousand took %v or longer, the median %v", slow, median)
	}
	if locked := testenv.LockedBytes(t); locked > limit || stats.LockedBytesPeak > limit {
		t.Errorf("%d bytes locked, %+v", locked, stats)
	}
	// A goroutine that has called Done still has to end.
	after := runtime.NumGoroutine()
	for late := time.Now().Add(time.Minute); after > before && time.Now().Before(late); after = runtime.NumGoroutine() {
		runtime.Gosched()
	}
	if after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
	if stats.OpenBuffers != 0 || stats.Waiters != 0 {
		t.Errorf("%+v", stats)
	}
}
