// Package measure holds what the programs that measure Wenlan beside its peers
// share: the parts of a run, the processes under measurement and what they took, the
// lines of the report, and books to measure with.
package measure

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Describe prints the machine and how busy it is, without which no figure means
// anything.
func Describe() {
	cpu := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
	}
	load := "unknown"
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Fields(string(b))[0]
	}
	fmt.Printf("%s, %d cores, load %s, %s, %s; medians of alternating runs (least to most)\n",
		cpu, runtime.NumCPU(), load, runtime.Version(), time.Now().UTC().Format("2006-01-02"))
}

// Median of a set of figures; 0 of none.
func Median[T int64 | float64](xs []T) T {
	if len(xs) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(xs))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// Side is one contestant of a measurement, with a figure for each run.
type Side struct {
	Name string
	Runs []float64
}

// Goal is what a measurement should reach; the zero Goal asks for nothing.
type Goal struct {
	Ratio float64 // the least ratio in which the first side is better than the second
	Limit float64 // the first side's median, in the unit of the row, is no worse
}

// Heading opens a section of the report.
func Heading(format string, args ...any) {
	fmt.Printf("\n%s\n", fmt.Sprintf(format, args...))
}

// Row prints one measurement: each side's median and spread, the ratio in which
// Wenlan, the first side, is better than the second, and whether the goal is met.
// lower says that less is better. A side without runs was not measured.
func Row(what, unit string, lower bool, goal Goal, sides ...Side) {
	fmt.Println(row(what, unit, lower, goal, sides))
}

func row(what, unit string, lower bool, goal Goal, sides []Side) string {
	var line strings.Builder
	fmt.Fprintf(&line, "  %-28s", what)
	for _, s := range sides {
		if len(s.Runs) == 0 {
			fmt.Fprintf(&line, "  %s: not measured", s.Name)
			continue
		}
		fmt.Fprintf(&line, "  %s %s %s (%s to %s)", s.Name, Figure(Median(s.Runs)), unit, Figure(slices.Min(s.Runs)), Figure(slices.Max(s.Runs)))
	}
	measured := func(n int) bool { return len(sides) >= n && len(sides[n-1].Runs) > 0 }
	ratio := 0.0
	if measured(1) && measured(2) {
		ratio = Median(sides[0].Runs) / Median(sides[1].Runs)
		if lower {
			ratio = 1 / ratio
		}
		fmt.Fprintf(&line, "  ratio %.2f", ratio)
	}
	switch {
	case goal.Ratio > 0 && measured(1) && measured(2):
		line.WriteString(Verdict(goal.Ratio, ratio >= goal.Ratio))
	case goal.Ratio > 0:
		fmt.Fprintf(&line, "  [goal %v]", goal.Ratio)
	case goal.Limit > 0 && measured(1):
		m := Median(sides[0].Runs)
		line.WriteString(Verdict(fmt.Sprintf("%v %s", goal.Limit, unit), m == goal.Limit || lower == (m < goal.Limit)))
	}
	return line.String()
}

// Verdict says whether a goal is met.
func Verdict(goal any, met bool) string {
	if met {
		return fmt.Sprintf("  [goal %v: met]", goal)
	}
	return fmt.Sprintf("  [goal %v: MISSED]", goal)
}

// Figure writes a number with as many digits as it deserves.
func Figure(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// Tail is the last n lines of some output.
func Tail(out []byte, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "")
}
