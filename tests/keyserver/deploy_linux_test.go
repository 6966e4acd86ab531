package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

const (
	unitFile = "deploy/keyserver.service"
	podFile  = "deploy/pod.yaml"
	// program is where the unit has the server.
	program = "/usr/local/bin/keyserver"
)

// readUnit returns the settings of the unit's section Service, each with all its
// values.
func readUnit(t testing.TB) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string][]string{}
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		} else if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") && section == "[Service]" {
			settings[name] = append(settings[name], value)
		}
	}
	return settings
}

// need returns the path of a program that a test needs.
func need(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: there is no %s to test with: apt-get install --no-install-recommends %s", name, pkg)
	}
	return path
}

// systemd knows every setting of the unit, and has little to say against it.
func TestUnitIsValidAndTight(t *testing.T) {
	t.Parallel()
	analyze := need(t, "systemd-analyze", "systemd")
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	// Only a program that is there is accepted.
	path := filepath.Join(publicDir(t), "keyserver.service")
	writeFile(t, path, strings.ReplaceAll(string(text), program, "/bin/true"))
	for _, args := range [][]string{
		{"verify", "--man=no"},
		// The exposure is between 0 and 10, here in tenths.
		{"security", "--offline=yes", "--no-pager", "--threshold=15"},
	} {
		out, err := exec.Command(analyze, append(args, path)...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// allowedBy returns the system calls that a unit's filter allows.
func allowedBy(t *testing.T, analyze string, filter []string) map[string]bool {
	t.Helper()
	var expand func(name string) []string
	expand = func(name string) []string {
		if !strings.HasPrefix(name, "@") {
			return []string{name}
		}
		out, err := exec.Command(analyze, "syscall-filter", name).Output()
		if err != nil {
			t.Fatalf("systemd-analyze syscall-filter %s: %v", name, err)
		}
		var calls []string
		for line := range strings.Lines(string(out)) {
			if line = strings.TrimSpace(line); line != "" && line != name && !strings.HasPrefix(line, "#") {
				calls = append(calls, expand(line)...)
			}
		}
		return calls
	}
	allowed := map[string]bool{}
	// What systemd always allows for a list of what is allowed.
	names := append([]string{"@default"}, filter...)
	for _, line := range names {
		rest, remove := strings.CutPrefix(line, "~")
		for name := range strings.FieldsSeq(rest) {
			for _, call := range expand(name) {
				allowed[call] = !remove
			}
		}
	}
	return allowed
}

// credentials makes the folder of the credentials that the unit names.
func credentials(t *testing.T, unit map[string][]string) string {
	t.Helper()
	dir := publicDir(t)
	for _, c := range unit["LoadCredential"] {
		name, _, _ := strings.Cut(c, ":")
		text := pemOf(t, edKey(name))
		if name == tokenName {
			text = testToken
		}
		writeSecret(t, filepath.Join(dir, name), text)
	}
	return dir
}

// unitArgs returns the server's arguments in the unit.
func unitArgs(t *testing.T, unit map[string][]string) []string {
	t.Helper()
	words := strings.Fields(strings.Join(unit["ExecStart"], " "))
	if len(words) < 2 || words[0] != program {
		t.Fatalf("the unit starts %q", words)
	}
	return words[1:]
}

// The unit's filter lets through what the server calls: at its start, as it signs,
// shows its page, reads its keys again and ends.
func TestUnitsFilterAllowsWhatTheServerCalls(t *testing.T) {
	t.Parallel()
	needLocked(t)
	if testenv.Race || len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector and an emulator make calls of their own")
	}
	analyze, strace := need(t, "systemd-analyze", "systemd"), need(t, "strace", "strace")
	unit := readUnit(t)
	trace := filepath.Join(publicDir(t), "trace")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, spec{below: []string{strace, "-f", "-qq", "-o", trace, "-e", "signal=none", self}, args: unitArgs(t, unit), env: []string{"CREDENTIALS_DIRECTORY=" + credentials(t, unit)}})
	c := server.client()
	c.token = testToken
	c.call(http.StatusOK, "POST", "/v1/keys/invoices/sign", messageBody(nil))
	c.call(http.StatusCreated, "POST", "/v1/keys", `{"name":"k","type":"hmac-sha256"}`)
	c.call(http.StatusOK, "GET", "/", "")
	c.call(http.StatusOK, "GET", "/metrics", "")
	// strace's only child is the server.
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", server.cmd.Process.Pid, server.cmd.Process.Pid))
	var pid int
	if _, scanErr := fmt.Sscan(string(children), &pid); err != nil || scanErr != nil {
		t.Fatalf("the server below strace: %q, %v, %v", children, err, scanErr)
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
		if s == syscall.SIGHUP {
			server.await("reloaded: read 2")
		}
	}
	server.wait(exitOK)

	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	allowed := allowedBy(t, analyze, unit["SystemCallFilter"])
	made := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		// "4711  read(3, ...", "4711  <... read resumed>" of what was interrupted, and
		// "4711  ???(" of a thread that is gone.
		_, rest, _ := strings.Cut(line, " ")
		name, _, ok := strings.Cut(strings.TrimSpace(rest), "(")
		if ok && !strings.ContainsAny(name, " <+?") {
			made[name] = true
		}
	}
	for name := range made {
		// The program is started before the filter is in force.
		if !allowed[name] && name != "execve" {
			t.Errorf("the unit's filter refuses %s, which the server calls", name)
		}
	}
	for _, name := range []string{"openat", "read", "listen", "exit_group"} {
		if !made[name] {
			t.Errorf("the trace lacks %s: %d calls in %d bytes", name, len(made), len(text))
		}
	}
	if allowed["ptrace"] || allowed["init_module"] || !allowed["memfd_secret"] {
		t.Error("the filter is not what it seems")
	}
}

// buildDoctor returns the path of the doctor.
func buildDoctor(t *testing.T) string {
	t.Helper()
	path := filepath.Join(publicDir(t), "doctor")
	cmd := exec.Command("go", "build", "-o", path, "github.com/memkeep/memkeep/locked/doctor")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: the doctor can't be built here: %v\n%s", err, out)
	}
	return path
}

// checkGood has the doctor look at a server. What depends on the settings that the
// server was started with must be good.
func (c *child) checkGood(doctor string) {
	c.t.Helper()
	out, err := exec.Command(doctor, "-json", "-pid", fmt.Sprint(c.cmd.Process.Pid)).Output()
	var report struct {
		Process  struct{ User int }
		Findings []struct{ Name, Status, Text string }
	}
	if err := errors.Join(err, json.Unmarshal(out, &report)); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	if report.Process.User == 0 {
		c.t.Error("the server runs as root")
	}
	must := []string{"lock", "limit", "page-dumps", "page-children", "core", "tracing", "dumpable", "privileges", "seccomp"}
	if l, err := locked.CurrentLimits(); err == nil && l.Backend == locked.MemfdSecret {
		must = append(must, "backend", "outside")
	}
	for _, f := range report.Findings {
		if i := slices.Index(must, f.Name); i >= 0 {
			must = slices.Delete(must, i, i+1)
			if f.Status != "good" {
				c.t.Errorf("the doctor finds %s: %s: %s", f.Status, f.Name, f.Text)
			}
		}
	}
	if len(must) > 0 {
		c.t.Errorf("the doctor says nothing of %q:\n%s", must, out)
	}
}

// needRoot skips where a server can't be started as another user with the default
// budget, and looked at.
func needRoot(t *testing.T) {
	t.Helper()
	needLocked(t)
	if os.Getuid() != 0 || len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: only root starts a server as another user, and sees what it closed to that user")
	}
	if l, err := locked.CurrentLimits(); err != nil || l.Hard < locked.DefaultLockedBytes {
		t.Skipf("SKIPPED, NOTHING TESTED: the hard limit on locked memory is below %d bytes: %+v, %v", locked.DefaultLockedBytes, l, err)
	}
}

// Under the unit's limits, as another user, with a filter, the server serves, and the
// doctor finds nothing.
func TestDoctorCallsTheUnitGood(t *testing.T) {
	t.Parallel()
	needRoot(t)
	doctor, unit := buildDoctor(t), readUnit(t)
	for name, want := range map[string]string{"LimitMEMLOCK": "8M", "LimitCORE": "1", "NoNewPrivileges": "yes", "DynamicUser": "yes", "MemorySwapMax": "0", "CapabilityBoundingSet": ""} {
		if got := unit[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("the unit has %s=%q, and what follows takes it for %q", name, got, want)
		}
	}
	server := start(t, spec{
		args: unitArgs(t, unit), memlock: fmt.Sprint(8 << 20),
		env: []string{settingsEnv + "=core=1 filter", "CREDENTIALS_DIRECTORY=" + credentials(t, unit)},
	})
	c := server.client()
	c.token = testToken
	message := []byte("message")
	c.checkKey("invoices", message, ed25519.Sign(edKey("invoices"), message))
	server.checkGood(doctor)
}

// A pod is what the file pod.yaml may say: the fields of Kubernetes' API by their
// names and types, of which a decoder refuses all others.
type pod struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
		EnableServiceLinks           *bool `yaml:"enableServiceLinks"`
		SecurityContext              struct {
			RunAsNonRoot   bool  `yaml:"runAsNonRoot"`
			RunAsUser      int64 `yaml:"runAsUser"`
			RunAsGroup     int64 `yaml:"runAsGroup"`
			FSGroup        int64 `yaml:"fsGroup"`
			SeccompProfile struct {
				Type string
			} `yaml:"seccompProfile"`
		} `yaml:"securityContext"`
		Containers []struct {
			Name, Image string
			Args        []string
			Resources   struct {
				Requests, Limits map[string]string
			}
			SecurityContext struct {
				AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
				Privileged               bool
				ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
				Capabilities             struct {
					Drop []string
				}
			} `yaml:"securityContext"`
			VolumeMounts []volumeMount `yaml:"volumeMounts"`
		}
		Volumes []struct {
			Name   string
			Secret struct {
				SecretName  string      `yaml:"secretName"`
				DefaultMode os.FileMode `yaml:"defaultMode"`
			}
		}
	}
}

type volumeMount struct {
	Name      string
	MountPath string `yaml:"mountPath"`
	ReadOnly  bool   `yaml:"readOnly"`
}

// mount makes a folder as the kubelet mounts a Secret, with each file behind two
// links.
func mount(t *testing.T, files map[string]string, mode os.FileMode) string {
	t.Helper()
	dir := publicDir(t)
	const version = "..2026_11_25_12_00_00.123456789"
	if err := os.Mkdir(filepath.Join(dir, version), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, version, name)
		writeSecret(t, path, text)
		if err := errors.Join(os.Chmod(path, mode), os.Symlink("..data/"+name, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(version, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// With the pod's arguments and secrets, under what its security context and a
// container runtime make of it, the server serves, and the doctor finds nothing.
func TestDoctorCallsThePodGood(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(podFile)
	if err != nil {
		t.Fatal(err)
	}
	var p pod
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		t.Fatal(err)
	}
	if p.APIVersion != "v1" || p.Kind != "Pod" || len(p.Spec.Containers) != 1 {
		t.Fatalf("it is no pod with one container: %+v", p)
	}
	in, of := p.Spec.Containers[0], p.Spec.SecurityContext
	if !of.RunAsNonRoot || of.RunAsUser == 0 || of.FSGroup == 0 || of.SeccompProfile.Type != "RuntimeDefault" ||
		in.SecurityContext.AllowPrivilegeEscalation == nil || *in.SecurityContext.AllowPrivilegeEscalation || in.SecurityContext.Privileged ||
		!slices.Equal(in.SecurityContext.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("what follows is not what this pod would be: %+v, %+v", of, in.SecurityContext)
	}
	if !maps.Equal(in.Resources.Requests, in.Resources.Limits) {
		t.Errorf("the kubelet may swap it out, since its requests %v are not its limits %v", in.Resources.Requests, in.Resources.Limits)
	}
	needRoot(t)
	files := map[string]map[string]string{
		"keys": {"invoices": pemOf(t, edKey("invoices")), "hooks": hmacText("hooks")}, "token": {"token": testToken},
	}
	args := slices.Clone(in.Args)
	for _, v := range p.Spec.Volumes {
		i := slices.IndexFunc(in.VolumeMounts, func(m volumeMount) bool { return m.Name == v.Name && m.ReadOnly })
		if i < 0 || files[v.Name] == nil {
			t.Fatalf("the volume %s is not mounted", v.Name)
		}
		dir := mount(t, files[v.Name], v.Secret.DefaultMode)
		for j := range args {
			args[j] = strings.ReplaceAll(args[j], in.VolumeMounts[i].MountPath, dir)
		}
	}
	if strings.Contains(strings.Join(args, " "), "/run/secrets") {
		t.Errorf("the arguments name a folder that nothing is mounted on: %q", in.Args)
	}
	// A container runtime's core limit is often unlimited.
	server := start(t, spec{args: args, memlock: fmt.Sprint(8 << 20), env: []string{settingsEnv + "=core=max filter"}})
	c := server.client()
	c.token = testToken
	message := []byte("message")
	c.checkKey("invoices", message, ed25519.Sign(edKey("invoices"), message))
	c.checkKey("hooks", message, macOf([]byte(hmacText("hooks")), message))
	server.checkGood(buildDoctor(t))
}
