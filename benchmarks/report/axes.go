package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	white     = color.White
	grid      = color.Gray{0xe4}
	noteColor = color.Gray{0x60}
)

// A style is how a line is drawn, in all plots the same.
type style struct{ line draw.LineStyle }

// styleOf gives memkeep the blues, the floors the greys, and each peer a colour
// of its own; dashes where colours are near each other.
func styleOf(name string) style {
	solid := func(hex uint32, width float64, dashes ...vg.Length) style {
		return style{draw.LineStyle{
			Color:  color.NRGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 0xff},
			Width:  vg.Points(width),
			Dashes: dashes,
		}}
	}
	switch name {
	case "memkeep", "memkeep Use":
		return solid(0x0b4f9e, 2.6)
	case "memkeep Open":
		return solid(0x3f8fe0, 2)
	case "memkeep/memguard":
		return solid(0x3f8fe0, 1.5, 5, 3)
	case "memguard":
		return solid(0xc62828, 2)
	case "asherah/memguard":
		return solid(0xe07b00, 1.5, 5, 3)
	case "asherah/protected":
		return solid(0xe07b00, 1.5)
	case "libsodium":
		return solid(0x7b3fa0, 1.5)
	case "libsodium/guarded":
		return solid(0x7b3fa0, 1.5, 5, 3)
	case "never encrypted":
		return solid(0x2e7d32, 1.5)
	case "enclaves", "open":
		return solid(0x0b4f9e, 2.6)
	case "coffer.Seal into one slice", "seal":
		return solid(0x3f8fe0, 2)
	case "bare", "bare cipher, one object each":
		return solid(0x555555, 2)
	case "bare/each":
		return solid(0x555555, 1.5, 5, 3)
	}
	return solid(0x000000, 1, 2, 2)
}

// axes sets titles, scales and ticks; the x axis has a tick for each value that
// was measured.
func (f figure) axes(p *plot.Plot, xs []float64) {
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	for _, s := range []*text.Style{&p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		size := s.Font.Size
		s.Font = sans
		s.Font.Size = size
	}
	p.X.Label.Text = f.x + "; both axes: log scale"
	if f.fromZero {
		p.X.Label.Text = f.x + "; log scale"
	}
	p.X.Label.TextStyle.Font.Size = 10
	p.X.Tick.Label.Font.Size, p.Y.Tick.Label.Font.Size = 10, 10
	p.X.Label.Padding = vg.Points(4)

	var ticks []plot.Tick
	labelled := 0.0
	for _, x := range slices.Sorted(slices.Values(xs)) {
		t := plot.Tick{Value: x}
		if x >= 1.9*labelled { // else its label would touch the last one
			t.Label, labelled = count(int64(x)), x
		}
		ticks = append(ticks, t)
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks(ticks)
	p.X.Min, p.X.Max = slices.Min(xs), slices.Max(xs)
	low, high := math.Inf(1), 0.0
	for _, s := range f.series {
		for _, at := range s.XYs {
			low, high = min(low, at.Y), max(high, at.Y)
		}
	}
	if f.fromZero {
		p.Y.Min, p.Y.Max = 0, high*1.1
	} else {
		p.Y.Scale = plot.LogScale{}
		p.Y.Min, p.Y.Max = low/1.3, high*1.3
	}
	p.Y.Tick.Marker = plot.ConstantTicks(f.ticksY(p.Y.Min, p.Y.Max))
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = grid, grid
	p.Add(g)
}

func linearTimes(_, max float64) []plot.Tick { return linear(max, axisTime) }

func ratioTicks(_, max float64) []plot.Tick {
	return linear(max, func(v float64) string { return digits(v) + "×" })
}

// linear returns round figures from zero to max, four to nine of them.
func linear(max float64, label func(float64) string) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10(max)))
	for max/step < 4 {
		step /= 2
	}
	var ticks []plot.Tick
	for v := 0.0; v <= max; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: label(v)})
	}
	return ticks
}

// decades returns the powers of ten within the range, labelled, with 2 and 5
// times of them where the range is small.
func decades(low, high float64, label func(float64) string) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if v < low || v > high || m > 1 && high/low > 1e4 {
				continue
			}
			ticks = append(ticks, plot.Tick{Value: v, Label: label(v)})
		}
	}
	return ticks
}

func timeTicks(low, high float64) []plot.Tick { return decades(low, high, axisTime) }
func rateTicks(low, high float64) []plot.Tick { return decades(low, high, axisRate) }

func axisTime(ns float64) string { return scaled(ns, 1000, " ns", " µs", " ms", " s") }
func axisRate(v float64) string  { return scaled(v, 1000, "/s", " k/s", " M/s", " G/s") }

// byteTicks are powers of four, from KiB to GiB.
func byteTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	step := 4.0
	if high/low > 1e4 {
		step = 16
	}
	for v := 1024.0; v <= high; v *= step {
		if v >= low {
			ticks = append(ticks, plot.Tick{Value: v, Label: scaled(v, 1024, " B", " KiB", " MiB", " GiB")})
		}
	}
	return ticks
}

// scaled writes v in the largest unit in which it is at least one.
func scaled(v, base float64, units ...string) string {
	i := 0
	for ; v >= base*0.9999 && i < len(units)-1; i++ {
		v /= base
	}
	return trim(v) + units[i]
}

func trim(v float64) string {
	text := digits(v)
	for v < 99.95 && (text[len(text)-1] == '0' || text[len(text)-1] == '.') {
		last := text[len(text)-1]
		text = text[:len(text)-1]
		if last == '.' || text == "" {
			break
		}
	}
	if text == "" {
		return "0"
	}
	return text
}

// endLabels writes each line's name beside its end, moved apart where ends lie
// close together: nobody has to match colours with a legend. A line that failed
// ends early, at its cross: its name has the cross too, and no leader, which would
// look like data.
type endLabels struct {
	series []series
	size   vg.Length
}

// labelWidth is the room for names right of the plot, which the plot leaves.
const labelWidth = 1.75 * vg.Inch

type label struct {
	name     string
	from, at vg.Point
	style    style
	failed   bool
}

func (e *endLabels) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var labels []label
	for _, s := range e.series {
		end := s.XYs[len(s.XYs)-1]
		for _, xy := range s.XYs { // a line that failed may not end at its right
			if xy.X > end.X {
				end = xy
			}
		}
		from := vg.Point{X: toX(end.X), Y: toY(end.Y)}
		l := label{s.name, from, vg.Point{X: c.Max.X + vg.Points(14), Y: from.Y}, styleOf(s.name), s.failed}
		if s.failed {
			l.name = "× " + s.name
		}
		labels = append(labels, l)
	}
	spread(labels, e.size*1.25, c.Min.Y, c.Max.Y)
	for _, l := range labels {
		leader := draw.LineStyle{Color: l.style.line.Color, Width: vg.Points(0.5), Dashes: []vg.Length{1, 2}}
		if !l.failed {
			c.StrokeLines(leader, []vg.Point{l.from, {X: l.at.X - vg.Points(3), Y: l.at.Y}})
		}
		sty := p.X.Tick.Label
		sty.Color, sty.XAlign, sty.YAlign = l.style.line.Color, text.XLeft, text.YCenter
		c.FillText(sty, l.at, l.name)
	}
}

// spread moves labels apart, by as little as it takes, and keeps them within
// the plot.
func spread(labels []label, gap, low, high vg.Length) {
	slices.SortStableFunc(labels, func(a, b label) int {
		switch {
		case a.from.Y < b.from.Y:
			return -1
		case a.from.Y > b.from.Y:
			return 1
		}
		return 0
	})
	for range 200 {
		moved := false
		for i := range labels {
			if i == 0 {
				continue
			}
			if short := gap - (labels[i].at.Y - labels[i-1].at.Y); short > 0.01 {
				labels[i].at.Y += short / 2
				labels[i-1].at.Y -= short / 2
				moved = true
			}
		}
		for i := range labels {
			floor, ceiling := low+vg.Length(i)*gap, high-vg.Length(len(labels)-1-i)*gap
			labels[i].at.Y = min(max(labels[i].at.Y, floor), ceiling)
		}
		if !moved {
			return
		}
	}
}
