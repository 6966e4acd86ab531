package loading

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// A configuration with one reference of each bad kind: each gets an error that names it
// and shows nothing of what was read, and what was loaded before stays usable.
func TestBadInputOfEachKindIsAnErrorAndLosesNothing(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, testenv.SmallLimit())
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir := testenv.TempDir(t)
	const content = "plain-content-of-a-file"
	put := func(name, text string, mode os.FileMode) {
		if err := errors.Join(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600), os.Chmod(filepath.Join(dir, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	put("good", content, 0o600)
	put("large", content, 0o600)
	put("unreadable", content, 0)
	put("exposed", content, 0o644)
	put("empty", "\n", 0o600)
	put("latin1.json", `{"a":"`+content+"\xe9\"}", 0o600)
	put("number.json", `{"a":1234567890}`, 0o600)
	put("broken.json", `{"a":"`+content, 0o600)
	if err := errors.Join(os.Truncate(filepath.Join(dir, "large"), 1<<30), os.Mkdir(filepath.Join(dir, "folder"), 0o700),
		syscall.Mkfifo(filepath.Join(dir, "silent"), 0o600), syscall.Mkfifo(filepath.Join(dir, "endless"), 0o600)); err != nil {
		t.Fatal(err)
	}
	endless, err := os.OpenFile(filepath.Join(dir, "endless"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for {
			if _, err := endless.WriteString(content); err != nil {
				return // closed below
			}
		}
	}()
	defer func() { endless.Close(); <-flooded }()

	loader := load.Loader{Session: session, MaxSize: 4096}
	resolve := func(text string) (*enclave.Enclave, error) {
		var config struct{ Secret load.Ref }
		raw, err := yaml.Marshal(map[string]string{"secret": text})
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, &config); err != nil {
			return nil, err
		}
		ctx := t.Context()
		if strings.HasSuffix(text, "/silent") {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
		}
		return loader.Resolve(ctx, config.Secret)
	}
	good, err := resolve("file:" + filepath.Join(dir, "good"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		ref string
		err error
	}{
		{"file:missing", fs.ErrNotExist},
		{"file:large", load.ErrTooLarge},
		{"file:folder", load.ErrNotFile},
		{"file:silent", context.DeadlineExceeded},
		{"file:endless", load.ErrTooLarge},
		{"file:unreadable", fs.ErrPermission},
		{"file:exposed", load.ErrExposed},
		{"file:empty", enclave.ErrEmpty},
		{"file:latin1.json#a", load.ErrSyntax},
		{"file:number.json#a", load.ErrNoField},
		{"file:broken.json#a", load.ErrSyntax},
		{"file:good#a", load.ErrSyntax},
		{"env:MEMKEEP_NOT_SET", load.ErrNotSet},
		{"cmd:/bin/cat " + "/etc/hostname", load.ErrNotAllowed},
		{"fd:99999", syscall.EBADF},
		{"literal:", enclave.ErrEmpty},
		{"", load.ErrNotSet},
		{content, load.ErrInvalidRef},
		{"file:a\xffb", load.ErrInvalidRef},
		{"ftp:" + content, load.ErrInvalidRef},
	} {
		if bad.ref == "file:unreadable" && os.Getuid() == 0 {
			continue // root reads it
		}
		text := bad.ref
		if path, ok := strings.CutPrefix(text, "file:"); ok && bad.err != load.ErrInvalidRef {
			text = "file:" + filepath.Join(dir, path)
		}
		e, err := resolve(text)
		if e != nil || !errors.Is(err, bad.err) {
			t.Errorf("%q: %v, %v, want %v", bad.ref, e, err, bad.err)
			continue
		}
		if strings.Contains(err.Error(), content) {
			t.Errorf("%q: the error repeats what was read: %v", bad.ref, err)
		}
		if name, _, _ := strings.Cut(text, "#"); strings.HasPrefix(text, "file:/") && !strings.Contains(err.Error(), name) {
			t.Errorf("%q: the error does not name it: %v", bad.ref, err)
		}
	}
	err = good.Use(func(secret []byte) error {
		if string(secret) != content {
			return errors.New("another secret")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if s := session.Stats(); s.OpenBuffers != 0 || s.Waiters != 0 {
		t.Errorf("%d buffers are open, %d calls wait", s.OpenBuffers, s.Waiters)
	}
}
