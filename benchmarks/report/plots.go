package report

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The plots' files, and what they show.
const (
	timeBySizeFile  = "time-by-size.svg"
	timeBySizeTitle = "Opening, reading and closing one secret: time by its size, one goroutine"

	throughputFile  = "throughput-by-goroutines.svg"
	throughputTitle = "Opening, reading and closing 32-byte secrets: how many each second, by goroutines"

	lockedFile  = "locked-by-secrets.svg"
	lockedTitle = "Bytes that the process has locked, by the number of 32-byte secrets at rest"

	mixFile  = "mix-by-secrets.svg"
	mixTitle = "90% use, 9% open, 1% seal of 32-byte secrets: operations each second, by secrets at rest"

	flatFile  = "time-by-secrets.svg"
	flatTitle = "Opening the same 1,000 secrets: time by the number of all secrets at rest"

	cipherFile  = "cipher-by-size.svg"
	cipherTitle = "The cipher alone: our time ÷ that of golang.org/x/crypto, by the size of the message"
)

const (
	plotWidth  = 9.5 * vg.Inch
	plotHeight = 5.5 * vg.Inch
)

// plots returns all of them, without their lines.
func plots() []figure {
	const failing = "secrets at rest (×: with more, it fails)"
	return []figure{
		{file: timeBySizeFile, title: timeBySizeTitle, x: "size of the secret, bytes", ticksY: timeTicks},
		{file: cipherFile, title: cipherTitle, x: "size of the message, bytes", ticksY: ratioTicks, fromZero: true},
		{file: throughputFile, title: throughputTitle, x: "goroutines", ticksY: rateTicks},
		{file: lockedFile, title: lockedTitle, x: failing, ticksY: byteTicks},
		{file: mixFile, title: mixTitle, x: failing, ticksY: rateTicks},
		{file: flatFile, title: flatTitle, x: "secrets at rest", ticksY: linearTimes, fromZero: true},
	}
}

// linesOf returns the lines of a plot.
func linesOf(r *Results, file string) []series {
	size := func(k Key) float64 { return float64(k.Size) }
	secrets := func(k Key) float64 { return float64(k.Secrets) }
	switch file {
	case timeBySizeFile:
		return timeSeries(r, Open, size)
	case cipherFile:
		return append(ratioSeries(r, CipherOpen, "open", size), ratioSeries(r, CipherSeal, "seal", size)...)
	case throughputFile:
		return throughputSeries(r, Parallel, func(k Key) float64 { return float64(k.Goroutines) })
	case lockedFile:
		return lockedSeries(r)
	case mixFile:
		return throughputSeries(r, Mix, secrets)
	case flatFile:
		return timeSeries(r, Hot, secrets)
	}
	panic("report: internal error: no plot is called " + file)
}

// Plots draws what the results show into the folder. A plot for which there are
// no figures is not drawn.
func Plots(r *Results, folder string) error {
	e := r.Environment
	for _, f := range plots() {
		f.series = linesOf(r, f.file)
		f.note = fmt.Sprintf("medians of %d repeats, %s; %s", e.Repeats, e.Date.Format(time.DateOnly), e.Machine())
		if err := f.draw(folder); err != nil {
			return fmt.Errorf("%s: %w", f.file, err)
		}
	}
	return nil
}

// A series is one line of a plot.
type series struct {
	name string
	plotter.XYs
	failed bool // it ends where it failed
}

func timeSeries(r *Results, workload string, x func(Key) float64) []series {
	return seriesOf(r, workload, x, func(c *Cell) float64 { return c.Time().Median })
}

// ratioSeries is one line: our cipher's time ÷ the other's.
func ratioSeries(r *Results, workload, name string, x func(Key) float64) []series {
	s := series{name: name}
	for _, c := range r.Cells {
		if c.Workload == workload && c.Line == LineCipher {
			if ratio := r.cipherRatio(workload, c.Size); ratio.N > 0 {
				s.XYs = append(s.XYs, plotter.XY{X: x(c.Key), Y: ratio.Median})
			}
		}
	}
	if len(s.XYs) == 0 {
		return nil
	}
	return []series{s}
}

func throughputSeries(r *Results, workload string, x func(Key) float64) []series {
	return seriesOf(r, workload, x, func(c *Cell) float64 { return 1e9 / c.Time().Median })
}

func lockedSeries(r *Results) []series {
	return seriesOf(r, Populate, func(k Key) float64 { return float64(k.Secrets) }, func(c *Cell) float64 {
		if f := c.footprint(); f != nil {
			return float64(f.Locked)
		}
		return math.NaN()
	})
}

func seriesOf(r *Results, workload string, x func(Key) float64, y func(*Cell) float64) []series {
	var all []series
	for _, line := range r.Lines(workload) {
		s := series{name: line}
		for _, c := range r.Cells {
			if c.Workload != workload || c.Line != line || s.failed {
				continue
			}
			at := x(c.Key)
			if f := c.footprint(); f != nil && c.Error != "" {
				at = float64(f.Secrets)
			}
			if v := y(c); v > 0 && at > 0 { // a logarithmic axis has no zero
				s.XYs = append(s.XYs, plotter.XY{X: at, Y: v})
			}
			s.failed = c.Error != ""
		}
		if len(s.XYs) > 0 {
			all = append(all, s)
		}
	}
	return all
}

type figure struct {
	file, title, x string
	note           string // in small letters below
	series         []series
	ticksY         func(low, high float64) []plot.Tick
	fromZero       bool // the y axis is linear, from zero
}

// xs returns the different values on the x axis where nothing failed.
func (f figure) xs() []float64 {
	seen := map[float64]bool{}
	var xs []float64
	for _, s := range f.series {
		for i, p := range s.XYs {
			if !seen[p.X] && !(s.failed && i == len(s.XYs)-1) {
				seen[p.X] = true
				xs = append(xs, p.X)
			}
		}
	}
	return xs
}

func (f figure) draw(folder string) error {
	xs := f.xs()
	if len(xs) < 2 {
		return nil
	}
	p := plot.New()
	p.BackgroundColor = white
	f.axes(p, xs)
	for _, s := range f.series {
		line, points, err := plotter.NewLinePoints(s.XYs)
		if err != nil {
			return err
		}
		style := styleOf(s.name)
		line.LineStyle = style.line
		points.GlyphStyle = draw.GlyphStyle{Color: style.line.Color, Radius: vg.Points(2.5), Shape: draw.CircleGlyph{}}
		p.Add(line, points)
		if s.failed {
			end, err := plotter.NewScatter(s.XYs[len(s.XYs)-1:])
			if err != nil {
				return err
			}
			end.GlyphStyle = draw.GlyphStyle{Color: style.line.Color, Radius: vg.Points(6), Shape: draw.CrossGlyph{}}
			p.Add(end)
		}
	}
	p.Add(&endLabels{series: f.series, size: p.X.Tick.Label.Font.Size})
	return f.save(p, filepath.Join(folder, f.file))
}

// save writes SVG. The fonts are those that are at hand where it is looked at:
// Arial and Helvetica are as wide as Liberation Sans.
func (f figure) save(p *plot.Plot, path string) error {
	canvas := vgsvg.New(plotWidth, plotHeight)
	whole := draw.New(canvas)
	whole.SetColor(white)
	whole.Fill(whole.Rectangle.Path())
	p.Draw(draw.Crop(whole, vg.Points(6), -labelWidth, vg.Points(24), -vg.Points(34)))
	sty := p.X.Tick.Label
	sty.XAlign, sty.YAlign = text.XLeft, text.YTop
	sty.Font.Size = 14
	whole.FillText(sty, vg.Point{X: vg.Points(10), Y: whole.Max.Y - vg.Points(8)}, f.title)
	sty.Font.Size, sty.YAlign, sty.Color = 9, text.YBottom, noteColor
	whole.FillText(sty, vg.Point{X: vg.Points(10), Y: vg.Points(8)}, f.note)
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	drawn := bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return os.WriteFile(path, drawn, 0o644)
}
