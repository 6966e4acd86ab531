package workload

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memkeep/memkeep/benchmarks/contenders"
)

// takeFootprint measures the process as it is: Heap and Objects are all that is
// on the heap.
func takeFootprint() *Footprint {
	var took, cpu, pause []int64
	var m runtime.MemStats
	for range 5 {
		before, began := gcTime(), time.Now()
		runtime.GC()
		took = append(took, int64(time.Since(began)))
		cpu = append(cpu, gcTime()-before)
		runtime.ReadMemStats(&m)
		pause = append(pause, int64(m.PauseNs[(m.NumGC+255)%256]))
	}
	f := &Footprint{
		Heap:     int64(m.HeapAlloc),
		Objects:  int64(m.HeapObjects),
		GC:       middle(took),
		GCCPU:    middle(cpu),
		GCPause:  middle(pause),
		Locked:   -1,
		Mappings: -1,
		RSS:      -1,
	}
	readProcess(f)
	return f
}

// gcTime returns the processors' time that went into collections so far, in ns.
// What collects while a processor has nothing else to do counts as well.
func gcTime() int64 {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64 {
		return 0
	}
	return int64(s[0].Value.Float64() * float64(time.Second))
}

func middle(v []int64) int64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// minus returns what was added since before.
func (f *Footprint) minus(before *Footprint, secrets int) *Footprint {
	f.Secrets = secrets
	f.Heap -= before.Heap
	f.Objects -= before.Objects
	f.GCBefore = before.GC
	f.RSSBefore = before.RSS
	return f
}

// halfway returns what can be said of a process without slowing it down.
func halfway(secrets int) *Footprint {
	f := &Footprint{Secrets: secrets, Heap: -1, Objects: -1, GC: -1, GCBefore: -1, GCCPU: -1, GCPause: -1, Locked: -1, Mappings: -1, RSS: -1, RSSBefore: -1}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		f.RSS, f.Locked = kib(string(status), "VmRSS:"), kib(string(status), "VmLck:")
	}
	return f
}

// readProcess fills in what Linux shows of a process, proc_pid_status(5) and
// proc_pid_smaps(5). Elsewhere it stays unknown.
func readProcess(f *Footprint) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	f.RSS, f.Locked = kib(string(status), "VmRSS:"), kib(string(status), "VmLck:")
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	f.Mappings = 0
	// Kernels differ in whether VmLck counts memfd_secret, which carries the
	// flag lo: the larger one is what is locked.
	var size, flagged int64
	for line := range strings.Lines(string(smaps)) {
		switch {
		case strings.HasPrefix(line, "Size:"):
			f.Mappings++
			size = kib(line, "Size:")
		case strings.HasPrefix(line, "VmFlags:") && strings.Contains(line, " lo"):
			flagged += size
		}
	}
	f.Locked = max(flagged, f.Locked)
}

// checkLocked fails where less is locked than the contender promises for so many
// secrets and workers: some go on without the lock when the system refuses it.
func checkLocked(c *contenders.Contender, secrets, workers int) error {
	owners := map[contenders.Locks]int{contenders.LocksSecrets: secrets, contenders.LocksWorkers: workers}[c.Promises.Locks]
	f := &Footprint{Locked: -1}
	readProcess(f)
	if want := int64(owners) * int64(os.Getpagesize()); f.Locked >= 0 && f.Locked < want {
		return fmt.Errorf("goes on unlocked: %d bytes are locked, where %d in pages of their own take %d", f.Locked, owners, want)
	}
	return nil
}

// memoryAvailable returns what the machine has left and has, in bytes; 0 where
// that is unknown.
func memoryAvailable() (available, total int64) {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	return kib(string(info), "MemAvailable:"), kib(string(info), "MemTotal:")
}

// kib returns the bytes of the line "key n kB", -1 if there is none.
func kib(text, key string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil {
				return n << 10
			}
		}
	}
	return -1
}
