package report

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Processor names the make of this machine's processor, as a folder may be
// called: results of one make are never mixed with another's.
func Processor() string {
	cpuinfo := func(name string) string { return field("/proc/cpuinfo", name) }
	family, errF := strconv.Atoi(cpuinfo("cpu family"))
	model, errM := strconv.Atoi(cpuinfo("model"))
	if vendor := cpuinfo("vendor_id"); vendor != "" && errF == nil && errM == nil {
		return processorOf(vendor, family, model)
	}
	if part := cpuinfo("CPU part"); part != "" {
		return fmt.Sprintf("%s-%s-%s", runtime.GOARCH, cpuinfo("CPU implementer"), part)
	}
	return runtime.GOOS + "-" + runtime.GOARCH
}

// A microarchitecture is processors whose cpuid model lies between two numbers.
type microarchitecture struct {
	family, from, to int
	name             string
}

// What servers have. A processor that is not here is called by its numbers.
var (
	amd = []microarchitecture{
		{0x17, 0x00, 0x2f, "amd-zen"},
		{0x17, 0x30, 0xff, "amd-zen2"},
		{0x19, 0x00, 0x0f, "amd-zen3"},
		{0x19, 0x10, 0x1f, "amd-zen4"},
		{0x19, 0x20, 0x5f, "amd-zen3"},
		{0x19, 0x60, 0x7f, "amd-zen4"},
		{0x19, 0xa0, 0xaf, "amd-zen4"},
		{0x1a, 0x00, 0x7f, "amd-zen5"},
	}
	intel = []microarchitecture{
		{6, 0x55, 0x55, "intel-skylake"},
		{6, 0x6a, 0x6c, "intel-icelake"},
		{6, 0x8f, 0x8f, "intel-sapphirerapids"},
		{6, 0xcf, 0xcf, "intel-emeraldrapids"},
		{6, 0xad, 0xae, "intel-graniterapids"},
	}
)

func processorOf(vendor string, family, model int) string {
	known, maker := []microarchitecture(nil), strings.ToLower(vendor)
	switch vendor {
	case "AuthenticAMD":
		known, maker = amd, "amd"
	case "GenuineIntel":
		known, maker = intel, "intel"
	}
	for _, m := range known {
		if m.family == family && m.from <= model && model <= m.to {
			return m.name
		}
	}
	return fmt.Sprintf("%s-%d-%d", maker, family, model)
}

// title is what a table calls the processor of a folder.
func title(processor string) string {
	if t, ok := map[string]string{
		"amd-zen":              "AMD Zen",
		"amd-zen2":             "AMD Zen 2",
		"amd-zen3":             "AMD Zen 3",
		"amd-zen4":             "AMD Zen 4",
		"amd-zen5":             "AMD Zen 5",
		"intel-skylake":        "Intel Skylake",
		"intel-icelake":        "Intel Ice Lake",
		"intel-sapphirerapids": "Intel Sapphire Rapids",
		"intel-emeraldrapids":  "Intel Emerald Rapids",
		"intel-graniterapids":  "Intel Granite Rapids",
		"intel-xeon":           "Intel Xeon", // from before the model was written down
	}[processor]; ok {
		return t
	}
	return processor
}

// A Run is results and the processor that they were measured on.
type Run struct {
	Processor string
	*Results
}

// ReadAll reads the results of every processor in the folder, in order of their
// names.
func ReadAll(folder string) ([]Run, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*", File))
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, f := range files {
		r, err := Read(filepath.Dir(f))
		if err != nil {
			return nil, err
		}
		runs = append(runs, Run{filepath.Base(filepath.Dir(f)), r})
	}
	if len(runs) == 0 {
		return nil, &os.PathError{Op: "read", Path: folder, Err: os.ErrNotExist}
	}
	return runs, nil
}
