package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"wenlan/bench/index/gen"
)

// batches reads the first n records and calls f with some of them at a time, on
// threads goroutines; in what order is not said. The columns are valid as long as
// anything holds them.
func batches(path string, n, size, threads int, f func(lines [][]string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<20)
	left := n
	var mu sync.Mutex
	next := func(lines []string) ([]string, error) { // the lines of one batch
		mu.Lock()
		defer mu.Unlock()
		for len(lines) < size && left > 0 {
			line, err := in.ReadString('\n')
			if err != nil {
				if err == io.EOF {
					err = fmt.Errorf("%s has too few records", path)
				}
				return nil, err
			}
			lines = append(lines, line[:len(line)-1])
			left--
		}
		return lines, nil
	}
	errs := make(chan error, threads)
	for range threads {
		go func() {
			errs <- func() error {
				var lines []string
				var rows [][]string
				for {
					var err error
					if lines, err = next(lines[:0]); err != nil || len(lines) == 0 {
						return err
					}
					rows = rows[:0]
					for _, l := range lines {
						col := strings.Split(l, "\t")
						if len(col) != gen.Columns {
							return fmt.Errorf("%s: a line has %d columns", path, len(col))
						}
						rows = append(rows, col)
					}
					if err := f(rows); err != nil {
						return err
					}
				}
			}()
		}()
	}
	for range threads {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}

// questions reads the first most queries of a class.
func questions(path, class string, most int) ([][]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var out [][]string
	for s := bufio.NewScanner(file); s.Scan() && len(out) < most; {
		if col := strings.Split(s.Text(), "\t"); col[0] == class {
			out = append(out, col[1:])
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no queries of class %s", path, class)
	}
	return out, nil
}
