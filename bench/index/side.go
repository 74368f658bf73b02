package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"
)

// errNone: a side has no answer to a class of queries.
var errNone = errors.New("no such query")

// side is what a side's own process does. It prints one JSON object.
func side(args []string) error {
	if len(args) < 3 {
		return errors.New("side: too few arguments")
	}
	num := func(i int) int {
		if i >= len(args) {
			return 0
		}
		n, _ := strconv.Atoi(args[i])
		return n
	}
	sec := func(i int) time.Duration {
		if i >= len(args) {
			return 0
		}
		f, _ := strconv.ParseFloat(args[i], 64)
		return time.Duration(f * float64(time.Second))
	}
	arg := func(i int) string {
		if i >= len(args) {
			return ""
		}
		return args[i]
	}
	var out any
	var err error
	switch what := args[0] + " " + args[1]; {
	case what == "build wenlan":
		out, err = buildWenlan(arg(2), arg(3), num(4), num(5), arg(6))
	case what == "build sqlite":
		out, err = buildSQLite(arg(2), arg(3), num(4))
	case what == "open wenlan":
		out, err = openedWenlan(arg(2))
	case what == "open sqlite":
		out, err = openedSQLite(arg(2))
	case args[0] == "query":
		budget, perr := time.ParseDuration(arg(9))
		if perr != nil {
			return perr
		}
		out, err = query1(args[1], arg(2), arg(3), arg(4), num(5), sec(6), sec(7), num(8), budget, arg(10), arg(11))
	case args[0] == "check":
		budget, perr := time.ParseDuration(arg(7))
		if perr != nil {
			return perr
		}
		out, err = checkWenlan(arg(1), arg(2), arg(3), num(4), sec(5), num(6), budget)
	case args[0] == "hostile":
		out, err = besideHostile(arg(1), arg(2))
	case args[0] == "writer":
		out, err = besideWriter(arg(1), arg(2), arg(3), num(4))
	default:
		return fmt.Errorf("side: %q", args)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// asker answers one query: how many match, whether that is exact, whether the budget
// cut it.
type asker func(class string, q []string) (total int64, exact, cut bool, err error)

// query1 times one class: warm-up by time, then each query once.
func query1(side, dir, file, class string, most int, limit, warm time.Duration, totals int, budget time.Duration, clock, profile string) (*timed, error) {
	start := time.Now()
	now := func() time.Duration { return time.Since(start) }
	if clock == "cpu" {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		now = threadTime
	}
	qs, err := questions(file, class, most)
	if err != nil {
		return nil, err
	}
	out := &timed{}
	var ask asker
	begin := time.Now()
	switch side {
	case "wenlan":
		e, err := openWenlan(dir, false) // as who serves does: a reader looks for changes before each query
		if err != nil {
			return nil, err
		}
		defer e.Close()
		out.Records, out.Segments = e.size()
		ask = e.asker(totals, budget)
	case "sqlite":
		s, err := openSQLite(dir)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		ask = func(class string, q []string) (int64, bool, bool, error) {
			n, err := s.ask(context.Background(), class, q)
			return int64(n), false, false, err
		}
	default:
		return nil, fmt.Errorf("no side %q", side)
	}
	out.OpenMs = time.Since(begin).Seconds() * 1e3
	begin = time.Now()
	for i := 0; time.Since(begin) < warm; i++ {
		if _, _, _, err := ask(class, qs[i%len(qs)]); err != nil {
			return nil, err
		}
	}
	if profile != "" {
		f, err := os.Create(filepath.Join(profile, class+".pprof"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	begin = time.Now()
	for _, q := range qs {
		at := now()
		total, exact, cut, err := ask(class, q)
		took := now() - at
		if err != nil {
			return nil, err
		}
		if cut {
			out.Cut++
			took = max(took, budget)
		}
		out.Ns = append(out.Ns, took.Nanoseconds())
		out.Totals = append(out.Totals, total)
		out.Exact = append(out.Exact, exact)
		if time.Since(begin) > limit {
			break
		}
	}
	return out, nil
}

func openedSQLite(dir string) (*opened, error) {
	out := &opened{}
	for range 10 {
		begin := time.Now()
		s, err := openSQLite(dir)
		if err != nil {
			return nil, err
		}
		if _, err := s.ask(context.Background(), "ident", []string{"none"}); err != nil {
			return nil, err
		}
		out.OpenMs = time.Since(begin).Seconds() * 1e3
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
