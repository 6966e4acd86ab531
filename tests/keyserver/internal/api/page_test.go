package api

import (
	"strings"
	"testing"
	"time"
)

// Whatever a system or an error says is text on the page, never markup.
func TestPageEscapesWhatItShows(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>"'&<b onload=x>`
	v := view{LimitError: evil, Remedy: evil}
	for _, rows := range []*[]row{&v.Keys, &v.Memory, &v.Work, &v.Protections, &v.Failing} {
		*rows = []row{{evil, evil}}
	}
	body, err := v.render()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), "<script") || strings.Contains(string(body), "<b ") {
		t.Errorf("markup came through:\n%s", body)
	}
	if n := strings.Count(string(body), "&lt;script&gt;alert(1)"); n != 12 {
		t.Errorf("the text shows %d times, want 12:\n%s", n, body)
	}
}

func TestMeterCountsFromOneViewToTheNext(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	m := newMeter(start, 100)
	for i, step := range []struct {
		at   time.Duration
		uses uint64
		want string
	}{
		{0, 100, "unknown yet"},
		{4 * time.Second, 150, "12.5, in the last 4s"},
		{4*time.Second + 500*time.Millisecond, 160, "20.0, in the last 500ms"}, // too soon to count from
		{6 * time.Second, 170, "10.0, in the last 2s"},
		{5 * time.Second, 165, "unknown yet"}, // overtaken by another view
		{16 * time.Second, 170, "0.0, in the last 10s"},
	} {
		if got := m.read(start.Add(step.at), step.uses).String(); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}
