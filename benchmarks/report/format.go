package report

import (
	"math"
	"strconv"
	"strings"
)

// none stands where there is no figure.
const none = "–"

// duration writes ns in three digits with the unit that fits.
func duration(ns float64) string {
	switch {
	case math.IsNaN(ns):
		return none
	case math.Abs(ns) < 1e3:
		return digits(ns) + " ns"
	case math.Abs(ns) < 1e6:
		return digits(ns/1e3) + " µs"
	case math.Abs(ns) < 1e9:
		return digits(ns/1e6) + " ms"
	}
	return digits(ns/1e9) + " s"
}

// digits writes three significant digits, and whole numbers whole.
func digits(v float64) string {
	switch {
	case math.IsNaN(v):
		return none
	case math.Abs(v) >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// ratio writes a factor.
func ratio(s Spread) string {
	if s.N == 0 {
		return none
	}
	return digits(s.Median) + "×"
}

// quartiles writes the spread around a median, in the median's unit.
func quartiles(s Spread) string {
	if s.N < 2 {
		return none
	}
	return duration(s.Low) + " … " + duration(s.High)
}

// count groups a whole number's digits by thousands.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// known is count, for what the system may not say.
func known(n int64) string {
	if n < 0 {
		return none
	}
	return count(n)
}

// perSecond writes a throughput.
func perSecond(nsPerOp float64) string {
	if math.IsNaN(nsPerOp) {
		return none
	}
	v := 1e9 / nsPerOp
	switch {
	case v >= 1e6:
		return digits(v/1e6) + " M/s"
	case v >= 1e3:
		return digits(v/1e3) + " k/s"
	}
	return digits(v) + " /s"
}

// short cuts a message to what fits into a table.
func short(message string, most int) string {
	message = strings.Join(strings.Fields(message), " ")
	if runes := []rune(message); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return message
}

// bytesOf writes a size, if it is known.
func bytesOf[T int | int64](n T) string {
	if n < 0 {
		return none
	}
	return count(int64(n)) + " B"
}
