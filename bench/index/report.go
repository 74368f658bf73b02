package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"wenlan/bench/measure"
)

// tie is a difference that means nothing on a shared machine, in ns.
const tie = 20_000

// percentile of latencies: the least that at least the share p of them do not exceed.
func percentile(ns []int64, p float64) int64 {
	if len(ns) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(ns))
	at := int(p*float64(len(s))+0.999999) - 1
	return s[min(max(at, 0), len(s)-1)]
}

// ms writes nanoseconds as milliseconds.
func ms(ns int64) string {
	x := float64(ns) / 1e6
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

// verdict says how many times faster ours is, or that it is a tie.
func verdict(ours, theirs int64) string {
	if ours == 0 || theirs == 0 {
		return ""
	}
	if d := ours - theirs; d < tie && d > -tie {
		return "tie"
	}
	return fmt.Sprintf("%.2f", float64(theirs)/float64(ours))
}

// runs reads the runs of a class on a side, and gives the median over the runs of
// each percentile.
func (r *race) runsOf(side, class string) (all []timed, p [3]int64, err error) {
	var by [3][]int64
	for i := range r.runs {
		var c timed
		there, err := load(r.cell(side, r.queryCell(class, i)...), &c)
		if err != nil {
			return nil, p, err
		}
		if !there || len(c.Ns) == 0 {
			continue
		}
		all = append(all, c)
		for k, at := range []float64{.5, .95, .99} {
			by[k] = append(by[k], percentile(c.Ns, at))
		}
	}
	for k := range p {
		p[k] = measure.Median(by[k])
	}
	return all, p, nil
}

// report prints what there is, also when only a part was measured.
func (r *race) report() error {
	sections := []func(*tabwriter.Writer) error{r.reportBuild, r.reportOpen, r.reportQueries, r.reportCheck, r.reportDisturbed}
	for _, section := range sections {
		w := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
		if err := section(w); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (r *race) reportBuild(w *tabwriter.Writer) error {
	fmt.Fprintf(w, "\nbuilding\tfields\trecords/s\tbytes/record\tanonymous MB\tseconds\tCPU seconds\n")
	bytes := map[string]float64{}
	rate, cpu := map[string]float64{}, map[string]float64{}
	var split map[string]int64
	for _, s := range r.sides {
		for _, variant := range variants {
			var b built
			there, err := load(r.builtCell(s, variant), &b)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
			per := float64(b.Bytes) / float64(b.Records)
			bytes[s+" "+variant] = per
			rate[s+" "+variant] = float64(b.Records) / b.Seconds
			if s == "wenlan" && variant == "readings" {
				split = b.Split
			}
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.1f\t%.0f\t%.1f\t%.1f\n", s, describeVariant(variant), float64(b.Records)/b.Seconds, per, float64(b.Used.Anon)/1e6, b.Seconds, b.Used.CPU)
			cpu[s+" "+variant] = b.Used.CPU
		}
	}
	for _, variant := range variants[:2] {
		if ours, theirs := rate["wenlan "+variant], rate["lucene "+variant]; theirs > 0 {
			fmt.Fprintf(w, "rate, %s\t\t%.2f × Lucene [goal: 3], with %.2f of its CPU time\n", variant, ours/theirs, cpu["wenlan "+variant]/cpu["lucene "+variant])
		}
	}
	if bare := bytes["wenlan bare"]; bare > 0 {
		fmt.Fprintf(w, "bytes a record\tbench's fields %.1f [goal: 220]", bare)
		all, positions := bare, bytes["wenlan positions"]
		if positions > 0 {
			fmt.Fprintf(w, ", positions %+.1f", positions-bare)
			all = positions
		}
		for _, v := range variants[2:] {
			if b := bytes["wenlan "+v]; b > 0 {
				fmt.Fprintf(w, ", %s %+.1f", v, b-positions)
				all += b - positions
			}
		}
		fmt.Fprintf(w, "; all %.1f [goal: 450]\n", all)
	}
	if len(split) > 0 {
		fmt.Fprint(w, "sections, bytes a record\t")
		for _, k := range slices.Sorted(mapKeys(split)) {
			fmt.Fprintf(w, "%s %.1f  ", k, float64(split[k])/float64(r.n))
		}
		fmt.Fprintln(w)
	}
	return nil
}

func mapKeys(m map[string]int64) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func describeVariant(v string) string {
	switch v {
	case "bare":
		return "bench's"
	case "positions":
		return "bench's, positions"
	}
	return "bench's, positions, " + v
}

func (r *race) reportOpen(w *tabwriter.Writer) error {
	fmt.Fprintf(w, "\nopening\twarm ms\tcold ms\tsegments\n")
	for _, s := range r.sides {
		var warm, cold []float64
		segments := 0
		for i := range r.runs {
			var c opened
			there, err := load(r.cell(s, "open", strconv.Itoa(i)), &c)
			if err != nil {
				return err
			}
			if there {
				warm, cold, segments = append(warm, c.OpenMs), append(cold, c.ColdMs), c.Segments
			}
		}
		if len(warm) > 0 {
			fmt.Fprintf(w, "%s\t%.2f\t%s\t%d\n", s, measure.Median(warm), map[bool]string{true: fmt.Sprintf("%.2f", measure.Median(cold)), false: "not measured"}[measure.Median(cold) > 0], segments)
		}
	}
	return nil
}

func (r *race) reportQueries(w *tabwriter.Writer) error {
	ours, theirs := "wenlan", "lucene"
	fmt.Fprintf(w, "\nms (%s), p50/p95/p99", r.clock)
	for _, s := range r.sides {
		fmt.Fprintf(w, "\t%s", s)
	}
	fmt.Fprintf(w, "\tLucene:Wenlan p50 p95 p99\tgoals\tcut\tnotes\n")
	for i, class := range r.chosen() {
		if i > 0 && class.Name == "phrase" {
			fmt.Fprintln(w, "beside the race:")
		}
		fmt.Fprint(w, class.Name)
		at := map[string][3]int64{}
		runs := map[string][]timed{}
		for _, s := range r.sides {
			all, p, err := r.runsOf(s, class.Name)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				fmt.Fprint(w, "\t–")
				continue
			}
			at[s], runs[s] = p, all
			fmt.Fprintf(w, "\t%s/%s/%s", ms(p[0]), ms(p[1]), ms(p[2]))
		}
		a, b := at[ours], at[theirs]
		fmt.Fprintf(w, "\t%s %s %s\t%s", verdict(a[0], b[0]), verdict(a[1], b[1]), verdict(a[2], b[2]), goals(class.Name, a, b, at["sqlite"]))
		cut := 0
		for _, c := range runs[ours] {
			cut += c.Cut
		}
		fmt.Fprintf(w, "\t%d\t%s\n", cut, notes(class.Name, runs[ours], runs[theirs]))
	}
	return nil
}

// goals says which goals a class misses.
func goals(class string, ours, lucene, sqlite [3]int64) string {
	if ours[0] == 0 || lucene[0] == 0 {
		return ""
	}
	var missed []string
	over := func(x, limit int64) bool { return x > limit && x-limit >= tie }
	factor := int64(2)
	if class == "facetcommon" {
		factor = 5
	}
	// A tie is a tie: with a difference under tie the half is not asked for.
	if over(ours[0], lucene[0]/factor) && lucene[0]-ours[0] >= tie || over(ours[0], lucene[0]) {
		missed = append(missed, "p50")
	}
	if over(ours[2], lucene[2]) {
		missed = append(missed, "p99")
	}
	best := lucene[0]
	if sqlite[0] > 0 {
		best = min(best, sqlite[0])
	}
	if over(ours[0], best*11/10) {
		missed = append(missed, "best")
	}
	if missed == nil {
		return "met"
	}
	return "missed: " + strings.Join(missed, " ")
}

// notes says where the two sides did not find the same.
func notes(class string, ours, theirs []timed) string {
	if len(ours) == 0 || len(theirs) == 0 || class == "typo" {
		return "" // which words a typo may mean is each engine's own
	}
	differ, both := 0, 0
	a, b := ours[0], theirs[0]
	for i := range min(len(a.Totals), len(b.Totals)) {
		if a.Exact[i] && b.Exact[i] {
			both++
			if a.Totals[i] != b.Totals[i] {
				differ++
			}
		}
	}
	if differ > 0 {
		return fmt.Sprintf("%d of %d exact totals differ from Lucene's", differ, both)
	}
	return ""
}

func (r *race) reportCheck(w *tabwriter.Writer) error {
	fmt.Fprintf(w, "\nright answers\tqueries\tten best as the oracle's\twrong totals\tfacets off\tcut\n")
	for _, class := range r.chosen() {
		var c checked
		there, err := load(r.cell("wenlan", "check", class.Name, strconv.Itoa(r.options.queries)), &c)
		if err != nil {
			return err
		}
		if !there || c.Queries == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%.2f%%\t%d\t%d\t%d\n", class.Name, c.Queries, 100*float64(c.Same)/float64(c.Queries), c.Totals, c.Facets, c.Cut)
		for _, line := range c.Wrong {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	return nil
}

func (r *race) reportDisturbed(w *tabwriter.Writer) error {
	var c disturbed
	there, err := load(r.cell("wenlan", "hostile"), &c)
	if err != nil {
		return err
	}
	if there {
		a, b := percentile(c.Idle, .5), percentile(c.Loaded, .5)
		fmt.Fprintf(w, "\na hundred hostile queries at once\tp50 of ordinary ones %s ms at rest, %s ms beside them: × %.2f [goal: 2, %s]\n",
			ms(a), ms(b), float64(b)/float64(a), met(b <= 2*a || b-2*a < tie))
		fmt.Fprintf(w, "\tp99 %s ms, %s ms; %d ordinary and %d hostile answered in %.0f s, %d of these cut\n",
			ms(percentile(c.Idle, .99)), ms(percentile(c.Loaded, .99)), len(c.Loaded), c.Hostile, c.Seconds, c.Cut)
	}
	c = disturbed{}
	if there, err = load(r.cell("wenlan", "writer"), &c); err != nil {
		return err
	}
	if there {
		a, b := percentile(c.Idle, .99), percentile(c.Loaded, .99)
		fmt.Fprintf(w, "\na writer of 1,000 records a second\tp99 of ordinary queries %s ms at rest, %s ms beside it: × %.2f [goal: 3, %s]\n",
			ms(a), ms(b), float64(b)/float64(a), met(b <= 3*a || b-3*a < tie))
		fmt.Fprintf(w, "\tp50 %s ms, %s ms; %.0f records a second written\n",
			ms(percentile(c.Idle, .5)), ms(percentile(c.Loaded, .5)), float64(c.Written)/c.Seconds)
	}
	fmt.Fprintf(w, "\nkept in %s\n", filepath.Clean(r.base))
	return nil
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "missed"
}
