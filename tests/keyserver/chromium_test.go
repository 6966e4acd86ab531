//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// browse returns what a headless Chromium prints when it opens url, by default the
// page's source as it is then. The browser takes every name of a host for this
// machine's.
func browse(t *testing.T, url string, flags ...string) string {
	t.Helper()
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: under an emulator")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		path, err = exec.LookPath("google-chrome")
	}
	if err != nil {
		t.Skip("SKIPPED, NOTHING TESTED: there is no chromium to test with: apt-get install --no-install-recommends chromium")
	}
	if len(flags) == 0 {
		flags = []string{"--dump-dom"}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 3 { // it dies on its own now and then
		dir := publicDir(t)
		args := append([]string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--no-first-run", "--disable-background-networking", "--user-data-dir=" + dir,
			"--host-resolver-rules=MAP * 127.0.0.1",
		}, flags...)
		cmd := exec.CommandContext(ctx, path, append(args, url)...)
		cmd.Env = append(cmd.Environ(), "HOME="+dir)
		var page []byte
		if page, err = cmd.Output(); err == nil {
			return string(page)
		}
	}
	t.Skipf("SKIPPED, NOTHING TESTED: chromium does not run here: %v", err)
	return ""
}

var screenshot = flag.String("screenshot", "", "write a picture of a busy server's status page to this `file`")

// The status page is whole in a browser, without a script, and shows what an operator
// wants to see. A page whose name was led to this server gets nothing.
func TestBrowser(t *testing.T) {
	t.Parallel()
	path := filepath.Join(publicDir(t), "invoices.pem")
	put(t, path, pemOf(t, edKey("invoices")))
	server := start(t, spec{args: []string{"-keys", "1235", "-key", "invoices=file:" + path}})
	server.client().call(http.StatusOK, "POST", "/v1/keys/invoices/sign", messageBody(nil))
	page := browse(t, server.base+"/")
	for _, want := range []string{
		"<title>keyserver: status</title>", "<meter ", `aria-label="locked bytes against the budget"`,
		row("secrets", "1,236"), row("keys that follow a file", "1"), row("locked bytes", `[0-9,]+ of a budget of [0-9,]+`),
		row("uses a second", `[0-9.]+, in the last [0-9.hms]+`), row("uses since the start", "[0-9]+"), row("calls waiting for locked memory", "0"),
		"None: the system never refused to lock memory", row("reading from outside", "[a-z].*"), row("core dumps and tracing", ".*-harden.*"),
		row("secrets in core dumps", ".+"), row("limit on locked memory", ".+"), row("runtime/secret", "o(n|ff:.*)"),
		fmt.Sprintf("doctor -pid %d", server.cmd.Process.Pid),
	} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/metrics", "/v1/keys"} {
		page := browse(t, "http://"+net.JoinHostPort("rebound.example", port)+path)
		if !strings.Contains(page, "wrong_host") || strings.Contains(page, "key-0") || strings.Contains(page, "1,236") {
			t.Errorf("%s under another name:\n%s", path, page)
		}
	}
}

// row is a line of the page, as a pattern.
func row(what, value string) string {
	return fmt.Sprintf(`<th scope="row">%s</th><td>%s</td>`, regexp.QuoteMeta(what), value)
}

// With -screenshot this makes the picture that the README shows, in the folder of the
// test:
//
//	go test ./tests/keyserver -run Screenshot -screenshot status.png
//
// Without, it checks that there is one to be had.
func TestScreenshot(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	for _, name := range []string{"invoices", "payroll", "webhooks"} {
		put(t, filepath.Join(dir, name), pemOf(t, edKey(name)))
	}
	keys, memlock := 1000, ""
	if *screenshot != "" {
		keys, memlock = 100_000, fmt.Sprint(locked.DefaultLockedBytes)
	}
	server := start(t, spec{args: []string{"-keys", fmt.Sprint(keys), "-keys-dir", dir, "-harden"}, memlock: memlock})
	c := server.client()
	c.call(http.StatusOK, "GET", "/", "") // the rate is of what follows
	for _, name := range []string{"invoices", "payroll"} {
		put(t, filepath.Join(dir, name), pemOf(t, edKey(name+" 2")))
	}
	server.signal(syscall.SIGHUP)
	server.await("changed 2")
	c.signMany("invoices", "payroll", "webhooks", "key-000000", "key-000001")
	picture := filepath.Join(dir, "status.png")
	browse(t, server.base+"/", "--window-size=820,1550", "--hide-scrollbars", "--disable-lcd-text", "--screenshot="+picture)
	raw, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := png.Decode(bytes.NewReader(raw))
	if err != nil || whole.Bounds().Dx() != 820 {
		t.Fatalf("the picture: %v", err)
	}
	if *screenshot != "" {
		var small bytes.Buffer
		encoder := png.Encoder{CompressionLevel: png.BestCompression}
		if err := errors.Join(encoder.Encode(&small, inPalette(whole)), os.WriteFile(*screenshot, small.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes", small.Len())
	}
}

// inPalette returns the picture in 16 shades of each colour, which is enough for
// text and takes a third of the space.
func inPalette(from image.Image) image.Image {
	var colours color.Palette
	index := map[color.RGBA]uint8{}
	box := from.Bounds()
	to := image.NewPaletted(box, nil)
	shade := func(v uint32) uint8 { return uint8((v>>8+8)/17) * 17 }
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			r, g, b, _ := from.At(x, y).RGBA()
			c := color.RGBA{shade(r), shade(g), shade(b), 0xff}
			i, ok := index[c]
			if !ok {
				if len(colours) == 256 {
					return from // it is no page of text
				}
				i = uint8(len(colours))
				index[c], colours = i, append(colours, c)
			}
			to.SetColorIndex(x, y, i)
		}
	}
	to.Palette = colours
	return to
}
