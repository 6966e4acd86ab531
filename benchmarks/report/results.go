// Package report turns what was measured into files, tables, plots, and the
// section of the README.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// File is the results' name in their folder.
const File = "results.json"

// Results is one run.
type Results struct {
	Environment Environment `json:"environment"`
	Contenders  []Contender `json:"contenders"`
	Cells       []*Cell     `json:"cells"`
}

// A Contender is what the run says of one.
type Contender struct {
	Name     string   `json:"name"`
	Lines    []string `json:"lines"`
	About    string   `json:"about"`
	Module   string   `json:"module,omitempty"`
	Version  string   `json:"version,omitempty"`
	Skipped  string   `json:"skipped,omitempty"`  // why it did not run
	Rejected string   `json:"rejected,omitempty"` // the promise that it broke: nothing of it was timed
}

// A Key says what was measured. What does not apply is zero.
type Key struct {
	Workload   string `json:"workload"`
	Line       string `json:"line"`
	Size       int    `json:"size,omitempty"`       // of a secret, in bytes
	Goroutines int    `json:"goroutines,omitempty"` // at once
	Secrets    int    `json:"secrets,omitempty"`    // at rest
	Limit      int    `json:"limit,omitempty"`      // on locked memory, in bytes
	Awake      int    `json:"awake,omitempty"`      // threads of the process that were busy besides
}

// Workloads, as keys name them.
const (
	Headline    = "headline"
	CipherOpen  = "cipher: open"
	CipherSeal  = "cipher: seal"
	Open        = "open"
	Seal        = "seal"
	Parallel    = "parallel"
	Latency     = "latency"
	Populate    = "populate"
	Mix         = "mix"
	MixLatency  = "mix latency"
	Growth      = "growth"
	GrowthPurge = "growth: purge"
	Hot         = "hot"
	Any         = "any"
	Purge       = "purge"
	First       = "first"
	LimitOpen   = "limit: open"
	LimitSeal   = "limit: populate"
	LimitMix    = "limit: mix"
	LimitCrowd  = "limit: crowd"
	LimitYield  = "limit: crowd that yields while a secret is open"
	NobodysLine = "the process alone"
)

// Lines of the headline, all measured in one process.
const (
	HeadUse       = "memkeep Use"
	HeadOpen      = "memkeep Open"
	HeadNew       = "memkeep New"
	HeadBareOpen  = "bare open"
	HeadBareSeal  = "bare seal"
	HeadFloorOpen = "floor of Open"
	HeadFloorSeal = "floor of New"
)

// A Cell is everything measured under one key.
type Cell struct {
	Key
	Samples []Sample `json:"samples,omitempty"`
	Merged  *Tail    `json:"merged,omitempty"` // latencies of all samples together
	Error   string   `json:"error,omitempty"`  // why it could not be measured, or not further
}

// A Sample is one repeat.
type Sample struct {
	Repeat    int        `json:"repeat"`
	Ops       int64      `json:"ops"`
	Ns        int64      `json:"ns"` // wall time for all of them
	Tail      *Tail      `json:"tail,omitempty"`
	Footprint *Footprint `json:"footprint,omitempty"`
}

// NsPerOp is the wall time for each operation, over all goroutines together.
func (s Sample) NsPerOp() float64 { return float64(s.Ns) / float64(s.Ops) }

// A Tail is a distribution of latencies, in ns.
type Tail struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50"`
	P99   int64 `json:"p99"`
	P999  int64 `json:"p999"`
	Max   int64 `json:"max"`
}

// A Footprint is what a process holds with so many secrets at rest: bytes, but
// for counts and times in ns; -1 for what the system does not say.
type Footprint struct {
	Secrets   int   `json:"secrets"`
	Heap      int64 `json:"heap"`
	Objects   int64 `json:"objects"`
	GC        int64 `json:"gc"`
	GCBefore  int64 `json:"gc_before"`
	GCCPU     int64 `json:"gc_cpu,omitempty"`
	GCPause   int64 `json:"gc_pause,omitempty"`
	Locked    int64 `json:"locked"`
	Mappings  int64 `json:"mappings"`
	RSS       int64 `json:"rss"`
	RSSBefore int64 `json:"rss_before"`
}

// Find returns the cell under the key, nil if there is none.
func (r *Results) Find(k Key) *Cell {
	for _, c := range r.Cells {
		if c.Key == k {
			return c
		}
	}
	return nil
}

// Lines returns the lines of a workload in the order in which they stand.
func (r *Results) Lines(workload string) []string {
	var lines []string
	seen := map[string]bool{}
	for _, c := range r.Cells {
		if c.Workload == workload && !seen[c.Line] {
			seen[c.Line] = true
			lines = append(lines, c.Line)
		}
	}
	return lines
}

// Values returns the different values that a workload's keys have in one field,
// in the order in which they stand.
func (r *Results) Values(workload string, of func(Key) int) []int {
	var values []int
	seen := map[int]bool{}
	for _, c := range r.Cells {
		if v := of(c.Key); c.Workload == workload && !seen[v] {
			seen[v] = true
			values = append(values, v)
		}
	}
	return values
}

// Write writes the results to the folder: one line for each cell, so that two
// runs can be compared.
func (r *Results) Write(folder string) error {
	var out bytes.Buffer
	head, err := json.MarshalIndent(r.Environment, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(&out, "{\n\"environment\": %s,\n\"contenders\": [\n", head)
	if err := writeLines(&out, r.Contenders); err != nil {
		return err
	}
	out.WriteString("],\n\"cells\": [\n")
	if err := writeLines(&out, r.Cells); err != nil {
		return err
	}
	out.WriteString("]\n}\n")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, File), out.Bytes(), 0o644)
}

func writeLines[T any](out *bytes.Buffer, all []T) error {
	for i, v := range all {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		out.Write(line)
		if i < len(all)-1 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
	}
	return nil
}

// Read reads the results in the folder.
func Read(folder string) (*Results, error) {
	raw, err := os.ReadFile(filepath.Join(folder, File))
	if err != nil {
		return nil, err
	}
	r := new(Results)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, File), err)
	}
	r.rename("locked", "never encrypted") // what older results call it
	return r, nil
}

// rename gives a contender with a single line another name.
func (r *Results) rename(from, to string) {
	for i := range r.Contenders {
		if c := &r.Contenders[i]; c.Name == from {
			c.Name, c.Lines = to, []string{to}
		}
	}
	for _, c := range r.Cells {
		if c.Line == from {
			c.Line = to
		}
	}
}

// An Environment is where and how the run was made.
type Environment struct {
	Date       time.Time         `json:"date"`
	Command    string            `json:"command"`
	Duration   time.Duration     `json:"duration_ns"`
	Commit     string            `json:"commit"`
	Go         string            `json:"go"`
	OS         string            `json:"os"`
	Kernel     string            `json:"kernel,omitempty"`
	CPU        string            `json:"cpu,omitempty"`
	Processor  string            `json:"processor,omitempty"` // its make: see Processor
	Cores      int               `json:"cores"`
	GOMAXPROCS int               `json:"gomaxprocs"`
	Memory     int64             `json:"memory_bytes,omitempty"`
	PageSize   int               `json:"page_size"`
	LockSoft   string            `json:"memlock_soft"`
	LockHard   string            `json:"memlock_hard"`
	Exempt     bool              `json:"memlock_exempt"` // CAP_IPC_LOCK: no limit holds
	Backend    string            `json:"backend"`
	Mappings   string            `json:"max_map_count,omitempty"` // that a process may have
	Modules    map[string]string `json:"modules"`
	ClockNs    float64           `json:"clock_ns"` // what one look at the clock takes
	LoadBefore string            `json:"load_before,omitempty"`
	LoadAfter  string            `json:"load_after,omitempty"`
	StealShare float64           `json:"steal_share"` // of the processors' time, taken by the hypervisor
	Repeats    int               `json:"repeats"`
	CellTime   time.Duration     `json:"cell_ns"` // each measurement took about so long
	Quick      bool              `json:"quick,omitempty"`
	Seed       uint64            `json:"seed"` // of the order
}
