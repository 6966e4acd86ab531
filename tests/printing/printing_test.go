// Package printing holds the library to showing no secret, whatever prints it.
package printing

import (
	"bytes"
	"context"
	"crypto"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/BurntSushi/toml"
	"github.com/davecgh/go-spew/spew"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/bearer"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// printers are those of other libraries, beside the standard one's.
func printers() []testenv.Printer {
	logged := func(encoder func(zapcore.EncoderConfig) zapcore.Encoder, field func(string, any) zap.Field) func(any) ([]byte, error) {
		return func(v any) ([]byte, error) {
			var out bytes.Buffer
			core := zapcore.NewCore(encoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.DebugLevel)
			zap.New(core).Info("value", field("v", v))
			return out.Bytes(), nil
		}
	}
	sugared := func(v any) ([]byte, error) {
		var out bytes.Buffer
		core := zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.AddSync(&out), zap.DebugLevel)
		zap.New(core).Sugar().Infow("value", "v", v)
		zap.New(core).Sugar().Infof("%v %+v", v, v)
		return out.Bytes(), nil
	}
	return append(testenv.StandardPrinters(),
		testenv.Printer{Name: "yaml", Print: yaml.Marshal},
		testenv.Printer{Name: "toml", Print: func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := toml.NewEncoder(&out).Encode(map[string]any{"v": v})
			return out.Bytes(), err
		}},
		testenv.Printer{Name: "spew.Dump", Print: func(v any) ([]byte, error) { return []byte(spew.Sdump(v)), nil }},
		testenv.Printer{Name: "spew %v", Print: func(v any) ([]byte, error) { return []byte(spew.Sprintf("%v %#+v", v, v)), nil }},
		testenv.Printer{Name: "zap JSON", Print: logged(zapcore.NewJSONEncoder, zap.Any)},
		testenv.Printer{Name: "zap console", Print: logged(zapcore.NewConsoleEncoder, zap.Any)},
		testenv.Printer{Name: "zap.Reflect", Print: logged(zapcore.NewJSONEncoder, zap.Reflect)},
		testenv.Printer{Name: "zap sugared", Print: sugared},
	)
}

const secretSize = 32

// marker is a secret of letters, which every encoding of text can show.
func marker() []byte { return []byte("QkzvXJwpYhGdTbNcRmLfSyWoKuEaHiVx") }

// subjects returns the types that hold a secret, in all shapes, and the secrets.
func subjects(t *testing.T) (shapes map[string]map[string]any, secrets [][]byte) {
	t.Helper()
	budget := 8 * os.Getpagesize()
	testenv.Lockable(t, 2*budget)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	last := func(f func() error) {
		t.Cleanup(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	// Nothing works by itself while values are copied.
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: budget, RefreshInterval: -1, IdleTimeout: time.Hour})
	must(err)
	last(session.Close)
	pool, err := locked.NewPool(locked.Config{LockedBytes: budget, IdleTimeout: time.Hour})
	must(err)
	last(pool.Close)

	e, err := session.New(marker())
	must(err)
	stream := session.NewStream()
	_, err = stream.Write(marker())
	must(err)
	buffer, err := e.Open()
	must(err)
	last(buffer.Destroy)
	alone, err := pool.New(secretSize)
	must(err)
	last(alone.Destroy)
	copy(alone.Bytes(), marker())
	region, err := bridge.NewRegion(pool, secretSize)
	must(err)
	last(region.Free)
	copy(region.Bytes(), marker())
	c, err := coffer.New(pool, coffer.Config{RefreshInterval: -1})
	must(err)
	last(c.Close)

	path := filepath.Join(testenv.TempDir(t), "secret")
	must(os.WriteFile(path, marker(), 0o600))
	ref, err := load.ParseRef("file:" + path)
	must(err)
	rotating, err := load.NewRotating(context.Background(), ref, load.RotatingConfig{Interval: time.Hour, PollOnly: true, Loader: load.Loader{Session: session}})
	must(err)
	last(rotating.Close)
	transport, err := bearer.New(e, bearer.Config{Host: "example.com"})
	must(err)
	mac, err := keys.In(session).NewMAC(crypto.SHA256, marker())
	must(err)
	aead, err := keys.In(session).NewAEAD(marker())
	must(err)
	key, err := keys.In(session).ParseSeed(marker())
	must(err)

	shapes = map[string]map[string]any{
		"Enclave":    testenv.Shapes(e),
		"Text":       testenv.Shapes(&enclave.Text{Enclave: e}),
		"Stream":     testenv.Shapes(stream),
		"Session":    testenv.Shapes(session),
		"Buffer":     testenv.Shapes(buffer),
		"Pool":       testenv.Shapes(pool),
		"Region":     {"pointer": region, "map": map[string]any{"k": region}, "exported": testenv.Whole[any]{Field: region}, "slice": []bridge.Region{region}},
		"Coffer":     testenv.Shapes(c),
		"MAC":        testenv.Shapes(mac),
		"AEAD":       testenv.Shapes(aead),
		"PrivateKey": testenv.Shapes(key),
		"Transport":  testenv.Shapes(transport),
		// It has a goroutine, and may not be copied beside it.
		"Rotating": {"pointer": rotating, "map of pointers": map[string]*load.Rotating{"k": rotating}, "exported pointer": testenv.Whole[*load.Rotating]{Field: rotating}},
	}
	return shapes, append(sharesOf(c), marker())
}

func TestNoLibraryPrintsASecret(t *testing.T) {
	t.Parallel()
	all, secrets := subjects(t)
	for name, shapes := range all {
		for _, printer := range printers() {
			for shape, v := range shapes {
				if strings.HasPrefix(printer.Name, "spew") && name == "Text" && (shape == "value" || shape == "any" || shape == "map of values") {
					continue // spew takes the one pointer in such a struct for the struct's address, and faults
				}
				printed, err := printer.Print(v)
				if err != nil {
					printed = append(printed, err.Error()...)
				}
				if ways := testenv.Traces(printed, secrets...); len(ways) > 0 {
					t.Errorf("%s, %s: %s shows a secret (%v): %.2000s", name, shape, printer.Name, ways, printed)
				}
			}
		}
	}
}

// The search finds the same secret in each printer's text of plain bytes.
func TestPrintersShowPlainBytes(t *testing.T) {
	t.Parallel()
	text := string(marker())
	for _, printer := range printers() {
		if printer.Name == "fmt %T" || printer.Name == "fmt %t" || printer.Name == "fmt %p" {
			continue // they print no content
		}
		found := 0
		for _, v := range []any{marker(), [secretSize]byte(marker()), text, &text, testenv.Whole[[]byte]{Field: marker()}, testenv.Whole[string]{Field: text}} {
			if printed, err := printer.Print(v); err == nil && len(testenv.Traces(printed, marker())) > 0 {
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s: nothing is found of what it prints", printer.Name)
		}
	}
}

// memguard defines that String of a buffer is its content. It is the one exception,
// and printers that know String alone fall for it.
func TestStringOfTheDropInIsTheContent(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, 64*os.Getpagesize())
	b := memguard.NewBufferFromBytes(marker())
	defer b.Destroy()
	e := memguard.NewEnclave(marker())
	if got := b.String(); got != string(marker()) {
		t.Errorf("String is %q", got)
	}
	shows := map[string]bool{"spew.Dump": true, "spew %v": true, "zap JSON": true, "zap console": true, "zap sugared": true}
	for _, printer := range printers() {
		for what, v := range map[string]any{"buffer": b, "enclave": e, "buffer in a map": map[string]any{"k": b}, "hidden buffer": testenv.Shapes(b)["unexported pointer"]} {
			printed, _ := printer.Print(v) // an error shows nothing more
			ways := testenv.Traces(printed, marker())
			if len(ways) > 0 && !(shows[printer.Name] && what != "enclave") {
				t.Errorf("%s: %s shows a secret (%v): %s", what, printer.Name, ways, printed)
			}
		}
		if printed, _ := printer.Print(b); shows[printer.Name] && !strings.Contains(string(printed), string(marker())) && !strings.Contains(printer.Name, "sugared") {
			t.Errorf("%s is named as one that shows a buffer, and does not: %s", printer.Name, printed)
		}
	}
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
