package load

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A watch tells of changes in the folders that a file lies in. A nil watch tells
// of nothing.
type watch struct {
	path    string
	inotify *os.File
	told    chan struct{} // holds one
	done    chan struct{} // closed when the goroutine has ended
}

// newWatch watches the file of that path, or returns nil if the system has no
// more watches: then there is polling.
func newWatch(path string) *watch {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil
	}
	w := &watch{
		path:    path,
		inotify: os.NewFile(uintptr(fd), "inotify"),
		told:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	go w.read()
	w.renew()
	return w
}

// renew watches the folders that matter now. Kubernetes renames a link in the
// folder that the path names; a link of the user's own may lead to another one.
func (w *watch) renew() {
	if w == nil {
		return
	}
	// As many links as the system follows.
	const links = 40
	path := w.path
	for range links {
		w.add(filepath.Dir(path))
		next, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(path), next)
		}
		path = next
	}
	if real, err := filepath.EvalSymlinks(w.path); err == nil {
		w.add(filepath.Dir(real))
	}
}

// add watches a folder. Adding it again changes nothing.
func (w *watch) add(dir string) {
	const changes = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB | unix.IN_DELETE |
		unix.IN_MOVED_FROM | unix.IN_ONLYDIR
	raw, err := w.inotify.SyscallConn()
	if err != nil {
		return
	}
	// What can't be watched is polled.
	_ = raw.Control(func(fd uintptr) { _, _ = unix.InotifyAddWatch(int(fd), dir, changes) })
}

// read is the watch's goroutine. Which file changed does not matter: reading the
// secret again tells.
func (w *watch) read() {
	defer close(w.done)
	events := make([]byte, 4096)
	for {
		if _, err := w.inotify.Read(events); err != nil {
			return
		}
		select {
		case w.told <- struct{}{}:
		default:
		}
	}
}

// events tells that something changed.
func (w *watch) events() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.told
}

func (w *watch) works() bool { return w != nil }

// close ends the watch and its goroutine.
func (w *watch) close() {
	if w == nil {
		return
	}
	// Closing ends the read; what else it could say does not matter.
	_ = w.inotify.Close()
	<-w.done
}
