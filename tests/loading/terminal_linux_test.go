package loading

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// prompt is what the child asks.
const prompt = "Password: "

// terminal gives the child a terminal, on which somebody types the first secret
// when asked, and then the second one.
func (s *subject) terminal(first, second []byte) {
	s.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { master.Close() })
	raw, err := master.SyscallConn()
	if err != nil {
		s.t.Fatal(err)
	}
	var number uint32
	var ioctlErr error
	err = raw.Control(func(fd uintptr) {
		number, ioctlErr = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN)
		ioctlErr = errors.Join(ioctlErr, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
	})
	if err := errors.Join(err, ioctlErr); err != nil {
		s.t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { slave.Close() })
	s.cmd.ExtraFiles = []*os.File{slave}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	go func() {
		// If the child asks for nothing the test fails by what it says.
		shown := bufio.NewReader(master)
		if _, err := shown.ReadString(prompt[len(prompt)-1]); err != nil {
			return
		}
		_, _ = master.Write(append(first[:len(first):len(first)], '\n'))
		// The line that the terminal ends once it is restored.
		if _, err := shown.ReadString('\n'); err != nil {
			return
		}
		_, _ = master.Write(append(second[:len(second):len(second)], '\n'))
	}()
}
