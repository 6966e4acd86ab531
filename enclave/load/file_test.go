package load_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

func TestFileReadsThroughALink(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	dir := testenv.TempDir(t)
	path := write(t, dir, "secret", content+"\n")
	e, err := l.File(t.Context(), path)
	holds(t, e, err, []byte(content))
	needLinks(t)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Base(path), link); err != nil {
		t.Fatal(err)
	}
	e, err = l.File(t.Context(), link)
	holds(t, e, err, []byte(content))
}

func TestWhatIsNoSecretFileIsRefused(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	dir := testenv.TempDir(t)
	for _, c := range []struct {
		name string
		path string
		want error
	}{
		{"missing", filepath.Join(dir, "missing"), fs.ErrNotExist},
		{"empty name", "", fs.ErrNotExist},
		{"zero in the name", "a\x00b", fs.ErrInvalid},
		{"directory", dir, load.ErrNotFile},
		{"empty", write(t, dir, "empty", ""), enclave.ErrEmpty},
		{"a line end", write(t, dir, "lineend", "\n"), enclave.ErrEmpty},
		{"1 GiB", sparse(t, dir, "large", 1<<30), load.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "directory" && runtime.GOOS == "windows" {
				t.Skip("SKIPPED: it opens no directories")
			}
			e, err := l.File(t.Context(), c.path)
			refused(t, e, err, c.want, "file:"+c.path)
			if strings.Count(err.Error(), c.path) > 1 && c.path != "" {
				t.Errorf("%q names the path twice", err)
			}
		})
	}
}

// sparse makes a file that takes no space.
func sparse(t testing.TB, dir, name string, size int64) string {
	t.Helper()
	path := write(t, dir, name, content)
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDirReadsEachFile(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	dir := testenv.TempDir(t)
	write(t, dir, "user", "alice\n")
	write(t, dir, "password", content)
	write(t, dir, ".hidden", "")
	write(t, dir, "..older", "")
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	secrets, err := l.Dir(t.Context(), dir)
	if err != nil || len(secrets) != 2 {
		t.Fatalf("%v, %v", secrets, err)
	}
	holds(t, secrets["user"], nil, []byte("alice"))
	holds(t, secrets["password"], nil, []byte(content))
	none, err := l.Dir(t.Context(), filepath.Join(dir, "folder"))
	if len(none) != 0 || err != nil {
		t.Errorf("an empty folder: %v, %v", none, err)
	}
	if secrets, err := l.Dir(t.Context(), filepath.Join(dir, "user")); secrets != nil || err == nil {
		t.Errorf("a file: %v, %v", secrets, err)
	}
	if secrets, err := l.Dir(t.Context(), filepath.Join(dir, "none")); secrets != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v, %v", secrets, err)
	}
}

func TestDirNamesEachFileThatFailsAndReturnsNone(t *testing.T) {
	t.Parallel()
	l := newLoader(t)
	dir := testenv.TempDir(t)
	write(t, dir, "good", content)
	write(t, dir, "empty", "")
	sparse(t, dir, "large", 1<<30)
	secrets, err := l.Dir(t.Context(), dir)
	if secrets != nil || !errors.Is(err, enclave.ErrEmpty) || !errors.Is(err, load.ErrTooLarge) {
		t.Errorf("%v, %v", secrets, err)
	}
	for _, name := range []string{"empty", "large"} {
		if !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	silent(t, err)
}

func TestDirFollowsLinksWithinTheFolderAlone(t *testing.T) {
	t.Parallel()
	needLinks(t)
	l := newLoader(t)
	top := testenv.TempDir(t)
	outside := write(t, top, "outside", content)
	for _, target := range []string{outside, "../outside", "inner/../../outside"} {
		dir := filepath.Join(top, "dir"+strings.ReplaceAll(filepath.ToSlash(target), "/", "_"))
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(filepath.Join(dir, "inner"), 0o700)); err != nil {
			t.Fatal(err)
		}
		err := os.Symlink(target, filepath.Join(dir, "secret"))
		if runtime.GOOS == "wasip1" && target == outside && errors.Is(err, fs.ErrPermission) {
			t.Logf("SKIPPED in part: a link can't name an absolute path there: %v", err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if secrets, err := l.Dir(t.Context(), dir); secrets != nil || err == nil || !strings.Contains(err.Error(), "escapes") {
			t.Errorf("a link to %s: %v, %v", target, secrets, err)
		}
	}
	dir := mount(t, "1")
	secrets, err := l.Dir(t.Context(), dir)
	if err != nil || len(secrets) != 2 {
		t.Fatalf("%v, %v", secrets, err)
	}
	holds(t, secrets["user"], err, []byte("user 1"))
	holds(t, secrets["password"], err, []byte("password 1"))
}

// mount makes a folder as Kubernetes makes it.
func mount(t testing.TB, version string) string {
	t.Helper()
	dir := testenv.TempDir(t)
	swap(t, dir, version)
	for _, name := range []string{"user", "password"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// swap brings a new version of the mount in one step, and removes the old ones.
func swap(t testing.TB, dir, version string) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(dir, "..v*"))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "..v"+version)
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, data, "user", "user "+version)
	write(t, data, "password", "password "+version)
	next := filepath.Join(dir, "..data_tmp")
	if err := errors.Join(os.Symlink(filepath.Base(data), next), os.Rename(next, filepath.Join(dir, "..data"))); err != nil {
		t.Fatal(err)
	}
	for _, dir := range slices.DeleteFunc(old, func(o string) bool { return o == data }) {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDirNeverMixesTwoVersionsOfAMount(t *testing.T) {
	t.Parallel()
	needLinks(t)
	l := newLoader(t)
	dir := mount(t, "a")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				swap(t, dir, fmt.Sprint(i)) // no name comes back
			}
		}
	}()
	whole := 0
	for range 200 {
		secrets, err := l.Dir(t.Context(), dir)
		if errors.Is(err, load.ErrUnsettled) {
			continue // swapped within each of the tries
		}
		if err != nil {
			t.Error(err)
			continue
		}
		whole++
		version := func(name string) (v string) {
			err := secrets[name].Use(func(b []byte) error { v = strings.TrimPrefix(string(b), name+" "); return nil })
			if err != nil {
				t.Error(err)
			}
			return v
		}
		if u, p := version("user"), version("password"); u != p {
			t.Errorf("user of version %s, password of %s", u, p)
		}
	}
	close(stop)
	<-stopped
	t.Logf("%d of 200 while it changed all the time", whole)
	if _, err := l.Dir(t.Context(), dir); err != nil {
		t.Error(err)
	}
}

func TestACredentialIsAFileInSystemdsFolder(t *testing.T) {
	// No parallel test may change the environment.
	l := newLoader(t)
	dir := testenv.TempDir(t)
	write(t, dir, "db", content+"\n")
	write(t, filepath.Dir(dir), "outside", content)
	e, err := l.Credential(t.Context(), "db")
	refused(t, e, err, load.ErrNotSet, "credential:db")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	e, err = l.Credential(t.Context(), "db")
	holds(t, e, err, []byte(content))
	e, err = l.Credential(t.Context(), "none")
	refused(t, e, err, fs.ErrNotExist, "credential:none")
	for _, name := range []string{"", ".", "..", "../outside", "/etc/passwd", "a/b", `a\b`, "a\x00", "./db"} {
		e, err := l.Credential(t.Context(), name)
		refused(t, e, err, fs.ErrInvalid, "credential:"+name)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(dir, "gone"))
	e, err = l.Credential(t.Context(), "db")
	refused(t, e, err, fs.ErrNotExist, "credential:db")
}
