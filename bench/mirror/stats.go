package main

import (
	"fmt"
	"slices"
)

// median of a set of figures; 0 of none.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(xs))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// side is one contestant of a measurement.
type side struct {
	name string
	runs []float64
}

func heading(format string, args ...any) {
	fmt.Printf("\n%s\n", fmt.Sprintf(format, args...))
}

// row prints one measurement: each side's median and spread, and the ratio in
// which Wenlan, the first side, is better. lower says that less is better; goal is
// the least ratio, 0 for none.
func row(what, unit string, lower bool, goal float64, sides ...side) {
	fmt.Printf("  %-28s", what)
	for _, s := range sides {
		fmt.Printf("  %s %s %s (%s to %s)", s.name, figure(median(s.runs)), unit, figure(slices.Min(s.runs)), figure(slices.Max(s.runs)))
	}
	if len(sides) > 1 {
		ratio := median(sides[0].runs) / median(sides[1].runs)
		if lower {
			ratio = 1 / ratio
		}
		fmt.Printf("  ratio %.2f", ratio)
		if goal > 0 {
			fmt.Print(verdict(goal, ratio >= goal))
		}
	}
	fmt.Println()
}

// verdict says whether a bar is met.
func verdict(goal any, met bool) string {
	if met {
		return fmt.Sprintf("  [goal %v: met]", goal)
	}
	return fmt.Sprintf("  [goal %v: MISSED]", goal)
}

// figure writes a number with as many digits as it deserves.
func figure(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
