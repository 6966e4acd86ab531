package enclave_test

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// What every type that holds a secret shows to each printer of the standard
// library: handed over by pointer, its size alone; in any other way, no byte.
// tests/printing has the same table for other libraries' printers.
func TestNoPrinterShowsASecret(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, 2*budget())
	pool := newStillPool(t)
	marker := []byte("QkzvXJwpYhGdTbNcRmLfSyWoKuEaHiVx")
	e, session := newSealed(t, marker)
	stream := session.NewStream()
	if _, err := stream.Write(marker); err != nil {
		t.Fatal(err)
	}
	buffer, err := pool.New(len(marker))
	if err != nil {
		t.Fatal(err)
	}
	copy(buffer.Bytes(), marker)
	region, err := bridge.NewRegion(pool, len(marker))
	if err != nil {
		t.Fatal(err)
	}
	copy(region.Bytes(), marker)
	c, err := coffer.New(pool, coffer.Config{RefreshInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := region.Free(); err != nil {
			t.Error(err)
		}
		if err := buffer.Destroy(); err != nil {
			t.Error(err)
		}
	})

	shows := map[string]string{
		"Enclave": "[REDACTED 32 bytes]", "Text": "[REDACTED 32 bytes]", "Stream": "[REDACTED 32 bytes]", "Session": "[REDACTED 32 bytes]",
		"Buffer": "[REDACTED 32 bytes]", "Region": "[REDACTED ", "Coffer": "[REDACTED 32 bytes]", "Pool": "locked.Pool(",
	}
	secrets := append(sharesOf(c), marker)
	for name, shapes := range map[string]map[string]any{
		"Enclave": testenv.Shapes(e),
		"Text":    testenv.Shapes(&enclave.Text{Enclave: e}),
		"Stream":  testenv.Shapes(stream),
		"Session": testenv.Shapes(session),
		"Buffer":  testenv.Shapes(buffer),
		"Region":  {"pointer": region, "map": map[string]any{"k": region}, "exported": testenv.Whole[any]{Field: region}, "slice": []bridge.Region{region}},
		"Pool":    testenv.Shapes(pool),
		"Coffer":  testenv.Shapes(c),
	} {
		for _, printer := range testenv.StandardPrinters() {
			for shape, v := range shapes {
				printed, err := printer.Print(v)
				if err != nil {
					printed = append(printed, err.Error()...)
				}
				if ways := testenv.Traces(printed, secrets...); len(ways) > 0 {
					t.Errorf("%s, %s: %s shows a secret (%v): %s", name, shape, printer.Name, ways, printed)
				}
				// gob refuses what has no exported field, and %T and %p print no value.
				if shape == "pointer" && printer.Name != "gob" && printer.Name != "fmt %T" && printer.Name != "fmt %p" && !strings.Contains(string(printed), shows[name]) {
					t.Errorf("%s: %s prints %q", name, printer.Name, printed)
				}
			}
		}
	}
}

// The search finds the same secret in each printer's text of plain bytes.
func TestPrintersShowPlainBytes(t *testing.T) {
	t.Parallel()
	marker := []byte("QkzvXJwpYhGdTbNcRmLfSyWoKuEaHiVx")
	text := string(marker)
	for _, printer := range testenv.StandardPrinters() {
		if printer.Name == "fmt %T" || printer.Name == "fmt %t" || printer.Name == "fmt %p" {
			continue // they print no content
		}
		found := 0
		for _, v := range []any{marker, [32]byte(marker), text, &text, testenv.Whole[[]byte]{Field: marker}, testenv.Whole[string]{Field: text}} {
			printed, err := printer.Print(v)
			if err == nil && len(testenv.Traces(printed, marker)) > 0 {
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s: nothing is found of what it prints", printer.Name)
		}
	}
}

// newStillPool returns a pool that nothing works in but the test, which has its share
// of locked memory.
func newStillPool(t *testing.T) *locked.Pool {
	t.Helper()
	p, err := locked.NewPool(locked.Config{LockedBytes: budget(), IdleTimeout: time.Hour, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// newSealed returns an enclave with the secret, of a session that does nothing by
// itself. The test has its share of locked memory.
func newSealed(t *testing.T, secret []byte) (*enclave.Enclave, *enclave.Session) {
	t.Helper()
	s := makeSession(t, enclave.Config{MaxLockedBytes: budget(), RefreshInterval: -1, IdleTimeout: time.Hour})
	return newEnclave(t, s, secret), s
}

// sharesOf returns copies of a coffer's shares, which it has no door to.
func sharesOf(c *coffer.Coffer) (shares [][]byte) {
	key := reflect.ValueOf(c).Elem().FieldByName("key").Elem()
	for _, name := range []string{"Left", "Right"} {
		share := (*[coffer.KeySize]byte)(unsafe.Pointer(key.FieldByName(name).Pointer()))
		shares = append(shares, append([]byte(nil), share[:]...))
	}
	return shares
}
