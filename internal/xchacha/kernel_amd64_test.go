//go:build !purego

package xchacha

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"
)

// The kernel for Zen 5 is taken there and nowhere else. Linux says what a processor is.
func TestPacedRoundsAreForZen5Alone(t *testing.T) {
	t.Parallel()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip("SKIPPED: what the processor is can be read on Linux alone: ", err)
	}
	first, _, _ := strings.Cut(string(info), "\n\n")
	fields := map[string]string{}
	for line := range strings.Lines(first) {
		name, value, _ := strings.Cut(line, ":")
		fields[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if fields["cpu family"] == "" {
		t.Skip("SKIPPED: /proc/cpuinfo does not say which family of processors this is")
	}
	is := fields["vendor_id"] == "AuthenticAMD" && fields["cpu family"] == "26"
	if got := zen5(); got != is {
		t.Errorf("zen5 is %v for family %s of %s", got, fields["cpu family"], fields["vendor_id"])
	}
	if want := is && cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL; (best == avx512Paced) != want {
		t.Errorf("the kernel for family %s of %s is %v", fields["cpu family"], fields["vendor_id"], best)
	}
}
