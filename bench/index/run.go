package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"wenlan/bench/index/gen"
)

// race is one run: its options, its files, the sides that are there.
type race struct {
	options
	self    string // this program
	base    string // dir/VOCABULARY-N
	records string
	queries string
	sides   []string
	java    []string // java and its flags, up to the class
	code    string   // the state of the engine's source
	store   string   // the state of what makes an index
}

// classes that are run, in their order.
func (r *race) chosen() []gen.Class {
	return slices.DeleteFunc(slices.Clone(gen.Classes), func(c gen.Class) bool { return !has(r.classes, c.Name) })
}

func run(ctx context.Context, o options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if o.clock != "wall" && o.clock != "cpu" {
		return fmt.Errorf("no clock is called %q", o.clock)
	}
	if o.n < 1000 || o.runs < 1 || o.queries < 10 {
		return errors.New("at least 1,000 records, one run and ten queries")
	}
	v, err := gen.Load()
	if err != nil {
		return err
	}
	r := &race{options: o, self: self}
	words := v.Sum()
	if v.Made {
		words += "-made"
		fmt.Printf("the word lists are missing (apt-get install %s): the vocabulary is invented\n", gen.Packages)
	}
	r.base = filepath.Join(o.dir, fmt.Sprintf("%s-%d", words, o.n))
	if err := os.MkdirAll(r.base, 0o755); err != nil {
		return err
	}
	r.records = filepath.Join(r.base, "records.tsv")
	r.queries = filepath.Join(r.base, fmt.Sprintf("queries-%d.tsv", o.queries))
	if r.code, err = source("internal/index", "bench/index/engine.go", "bench/index/wenlan.go"); err != nil {
		return fmt.Errorf("run from the repository: %w", err)
	}
	if r.store, err = source("internal/index/segment", "internal/index/store"); err != nil {
		return err
	}
	for s := range strings.SplitSeq(o.peers, ",") {
		switch s {
		case "wenlan", "sqlite":
			r.sides = append(r.sides, s)
		case "lucene":
			if err := r.compile(ctx); err != nil {
				fmt.Printf("no Lucene: %v\n", err)
				continue
			}
			r.sides = append(r.sides, s)
		default:
			return fmt.Errorf("no side is called %q", s)
		}
	}
	describe(o)
	if err := r.generate(v); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"build", r.build},
		{"open", r.open},
		{"query", r.query},
		{"check", r.check},
		{"hostile", r.hostile},
		{"writer", r.writer},
	} {
		if !has(o.only, part.name) && part.name != "build" {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return r.report()
}

// describe prints the machine, without which no figure means anything.
func describe(o options) {
	cpu := "unknown processor"
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
	}
	fmt.Printf("%s, %d cores, %s, %s; %d records, %d runs, %d threads build, one asks; %s clock\n",
		cpu, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format("2006-01-02"), o.n, o.runs, o.threads, o.clock)
}

// The jars of Debian's liblucene8-java that the peer needs.
var jars = []string{"/usr/share/java/lucene-core-8.7.0.jar", "/usr/share/java/lucene-analyzers-common-8.7.0.jar"}

// compile makes the class of the Lucene peer.
func (r *race) compile(ctx context.Context) error {
	for _, jar := range jars {
		if _, err := os.Stat(jar); err != nil {
			return fmt.Errorf("%w (apt-get install liblucene8-java default-jdk-headless)", err)
		}
	}
	classes := filepath.Join(r.dir, "classes")
	if err := os.MkdirAll(classes, 0o755); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "javac", "-cp", strings.Join(jars, ":"), "-d", classes, "bench/index/lucene/Peer.java").CombinedOutput()
	if err != nil {
		return fmt.Errorf("javac: %w\n%s", err, out)
	}
	r.java = []string{"java", "-Xmx" + r.heap, "-cp", strings.Join(append([]string{classes}, jars...), ":"), "Peer"}
	return nil
}

// generate writes records and queries, where they are missing.
func (r *race) generate(v *gen.Vocabulary) error {
	if _, err := os.Stat(r.records); err != nil {
		r.say("records")
		if err := v.Records(r.records, r.n); err != nil {
			return err
		}
	}
	if _, err := os.Stat(r.queries); err != nil {
		if err := v.Queries(r.queries, r.n, r.options.queries); err != nil {
			return err
		}
	}
	return nil
}

// say tells what is going on.
func (r *race) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// The features of the indexes of Wenlan that are built: the race is run on the first.
var variants = []string{"positions", "bare", "readings", "titles", "creators"}

// index is the folder of a built index.
func (r *race) index(side, variant string) string {
	name := side
	if side == "wenlan" {
		name += "-" + r.store
		if old, _ := filepath.Glob(filepath.Join(r.base, "index", "wenlan-*-"+variant)); r.keep && len(old) > 0 {
			return old[0]
		}
	}
	return filepath.Join(r.base, "index", name+"-"+variant)
}

// cell is the file of a cell.
func (r *race) cell(side string, name ...string) string {
	if side == "wenlan" {
		side += "-" + r.code
	}
	return filepath.Join(r.base, "cells", side, strings.Join(name, "-")+".json")
}

func (r *race) builtCell(side, variant string) string { return r.index(side, variant) + ".json" }

// build builds what is missing: the indexes that are raced, and when building is asked
// for also those that show what a feature costs. A folder without its cell was broken
// off.
func (r *race) build(ctx context.Context) error {
	for _, s := range r.sides {
		want := variants
		switch s {
		case "lucene":
			want = variants[:2]
		case "sqlite":
			want = variants[:1]
		}
		if !has(r.only, "build") {
			want = variants[:1]
		}
		for _, variant := range want {
			dir, cell := r.index(s, variant), r.builtCell(s, variant)
			var b built
			there, err := load(cell, &b)
			if err != nil {
				return err
			}
			if there && !names(r.rebuild, s) {
				continue
			}
			if s == "wenlan" { // those of other states of the source
				old, _ := filepath.Glob(filepath.Join(r.base, "index", "wenlan-*-"+variant+"*"))
				for _, o := range old {
					if err := os.RemoveAll(o); err != nil {
						return err
					}
				}
			}
			if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(cell)); err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
				return err
			}
			r.say("build %s %s", s, variant)
			args := []string{r.self, "side", "build", s, dir, r.records, strconv.Itoa(r.n), strconv.Itoa(r.threads), variant}
			if s == "lucene" {
				args = append(slices.Clone(r.java), "build", dir, r.records, strconv.Itoa(r.n), strconv.Itoa(r.threads), strconv.FormatBool(variant == "positions"))
			}
			if b.Used, err = answer(ctx, &b, args[0], args[1:]...); err != nil {
				return err
			}
			if err := save(cell, &b); err != nil {
				return err
			}
		}
	}
	return nil
}

// each measures the cells of a part that are missing, the sides by turns.
func (r *race) each(ctx context.Context, sides []string, name []string, f func(side, cell string) error) error {
	for _, s := range sides {
		if !slices.Contains(r.sides, s) {
			continue
		}
		cell := r.cell(s, name...)
		if _, err := os.Stat(cell); err == nil && !names(r.fresh, s) && !names(r.rebuild, s) {
			continue
		}
		r.say("%s %s", strings.Join(name, " "), s)
		if err := f(s, cell); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Printf("%s of %s: %v\n", strings.Join(name, " "), s, err)
		}
	}
	return nil
}

// open opens each index, ten times in one process before the one that counts.
func (r *race) open(ctx context.Context) error {
	for i := range r.runs {
		err := r.each(ctx, []string{"wenlan", "lucene", "sqlite"}, []string{"open", strconv.Itoa(i)}, func(s, cell string) error {
			args := []string{r.self, "side", "open", s, r.index(s, "positions")}
			if s == "lucene" {
				args = append(slices.Clone(r.java), "open", r.index(s, "positions"))
			}
			var c opened
			if _, err := answer(ctx, &c, args[0], args[1:]...); err != nil {
				return err
			}
			return save(cell, &c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// queryCell names a run of a class.
func (r *race) queryCell(class string, run int) []string {
	name := []string{"query", class, strconv.Itoa(r.options.queries), strconv.Itoa(run)}
	if r.clock != "wall" {
		name = append(name, r.clock)
	}
	return name
}

// query times every class on every side. A side's process opens the index, warms up
// on the class and asks each query once.
func (r *race) query(ctx context.Context) error {
	for i := range r.runs {
		for _, class := range r.chosen() {
			name := r.queryCell(class.Name, i)
			err := r.each(ctx, []string{"wenlan", "lucene", "sqlite"}, name, func(s, cell string) error {
				most, limit := r.options.queries, r.limit
				if s == "sqlite" {
					if i > 0 || class.Name == "typo" {
						return nil // one run; FTS5 has no typos
					}
					most, limit = most/10, limit/6
				}
				args := []string{r.index(s, "positions"), r.queries, class.Name, strconv.Itoa(most),
					seconds(limit), seconds(r.warm), strconv.Itoa(r.totals)}
				if s == "lucene" {
					args = append(append(append(slices.Clone(r.java), "query"), args...), r.clock)
				} else {
					args = append(append([]string{r.self, "side", "query", s}, args...), r.budget.String(), r.clock, r.profile)
				}
				var c timed
				var err error
				if c.Used, err = answer(ctx, &c, args[0], args[1:]...); err != nil {
					return err
				}
				return save(cell, &c)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// check compares the timed answers with the oracle. It asks a part of the queries of
// the dear classes: the oracle reads every posting.
func (r *race) check(ctx context.Context) error {
	for _, class := range r.chosen() {
		err := r.each(ctx, []string{"wenlan"}, []string{"check", class.Name, strconv.Itoa(r.options.queries)}, func(s, cell string) error {
			var c checked
			if _, err := answer(ctx, &c, r.self, "side", "check", r.index(s, "positions"), r.queries, class.Name,
				strconv.Itoa(r.options.queries), seconds(r.limit/6), strconv.Itoa(r.totals), r.budget.String()); err != nil {
				return err
			}
			return save(cell, &c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// hostile measures ordinary queries at rest and beside a hundred hostile ones.
func (r *race) hostile(ctx context.Context) error {
	return r.each(ctx, []string{"wenlan"}, []string{"hostile"}, func(s, cell string) error {
		var c disturbed
		if _, err := answer(ctx, &c, r.self, "side", "hostile", r.index(s, "positions"), r.queries); err != nil {
			return err
		}
		return save(cell, &c)
	})
}

// writer measures ordinary queries at rest and beside a writer of 1,000 records a
// second, on a copy of the index.
func (r *race) writer(ctx context.Context) error {
	return r.each(ctx, []string{"wenlan"}, []string{"writer"}, func(s, cell string) error {
		copied := filepath.Join(r.base, "index", "writer")
		defer os.RemoveAll(copied)
		if err := errors.Join(os.RemoveAll(copied), os.CopyFS(copied, os.DirFS(r.index(s, "positions")))); err != nil {
			return err
		}
		var c disturbed
		if _, err := answer(ctx, &c, r.self, "side", "writer", copied, r.queries, r.records, strconv.Itoa(r.n)); err != nil {
			return err
		}
		return save(cell, &c)
	})
}
