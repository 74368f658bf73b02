package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"wenlan/bench/index/gen"
	"wenlan/bench/measure"
)

// zebraConfig is that of Debian's example for MARC 21, in
// /usr/share/doc/idzebra-2.0/examples/marc21, with the paths of this machine and, as
// people have who run it, more memory than its default of 4 MB.
const zebraConfig = `profilePath: %[2]s/tab:/usr/share/idzebra-2.0/tab
modulePath: %[1]s
attset: bib1.att
attset: explain.att
recordType: grs.marcxml.marc21
register: %[2]s/register:100G
memmax: 512
`

// zebraICU is what that example needs so that words are found in Chinese, too: the records
// read as UTF-8, and Debian's own index definition with ICU, as in its example marcxml.
// Without it a title in Chinese is one word.
const zebraICU = `index: icu.idx
encoding: utf-8
`

// zebraModules are where Debian puts the filters, by architecture.
func zebraModules() string {
	found, _ := filepath.Glob("/usr/lib/*/idzebra-2.0/modules")
	if len(found) == 0 {
		return "/usr/lib/idzebra-2.0/modules"
	}
	return found[0]
}

// zebra indexes a file of MARC with zebraidx, and counts what it finds by a word of a title.
func (b *bench) zebra(ctx context.Context, file, word string, icu bool) (seconds float64, hits int, err error) {
	dir := filepath.Join(b.tmp, "zebra")
	defer os.RemoveAll(dir)
	for _, folder := range []string{"register", "tab"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return 0, 0, err
		}
	}
	text := fmt.Sprintf(zebraConfig, zebraModules(), dir)
	if icu {
		text += zebraICU
		rules, err := os.ReadFile("/usr/share/idzebra-2.0/tab/marc21.abs")
		if err != nil {
			return 0, 0, err
		}
		rules = bytes.Replace(rules, []byte("\nname marc21\n"), []byte("\nname marc21\nencoding utf-8\n"), 1)
		if err := os.WriteFile(filepath.Join(dir, "tab", "marc21.abs"), rules, 0o644); err != nil {
			return 0, 0, err
		}
	}
	config := filepath.Join(dir, "zebra.cfg")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(ctx, "zebraidx", "-c", config, "-n", "update", file)
	cmd.Dir = dir
	cost, _, err := measure.Timed(cmd)
	if err != nil {
		return 0, 0, err
	}
	hits, err = zebraFinds(ctx, dir, config, word)
	return cost.Wall, hits, err
}

// zebraFinds asks zebrasrv how many titles have a word.
func zebraFinds(ctx context.Context, dir, config, word string) (int, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	socket := "unix:" + filepath.Join(dir, "socket")
	server := exec.CommandContext(ctx, "zebrasrv", "-c", config, socket)
	server.Dir = dir
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer func() { stop(); _ = server.Wait() }()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		client := exec.CommandContext(ctx, "yaz-client", socket)
		client.Stdin = strings.NewReader("find @attr 1=4 " + word + "\nquit\n")
		out, err := client.Output()
		if m := zebraHits.FindSubmatch(out); m != nil {
			return strconv.Atoi(string(m[1]))
		}
		if time.Since(begin) > 10*time.Second {
			return 0, fmt.Errorf("zebrasrv does not answer: %w: %s", err, measure.Tail(out, 2))
		}
	}
}

var zebraHits = regexp.MustCompile(`Number of hits: ([0-9]+)`)

// chinese is a word of two characters that begins the title of one of the first records.
func chinese() (string, error) {
	v, err := gen.Load()
	if err != nil {
		return "", err
	}
	for i := 0; ; i++ {
		title := []rune(strings.Split(string(v.Append(nil, i)), "\t")[gen.Title])
		if len(title) > 2 && unicode.Is(unicode.Han, title[0]) && unicode.Is(unicode.Han, title[1]) {
			return string(title[:2]), nil
		}
	}
}

// fromMARC takes in the records from MARC, beside zebraidx.
func fromMARC(ctx context.Context, b *bench) error {
	file, err := b.file(b.records, "mrc")
	if err != nil {
		return err
	}
	word, err := chinese()
	if err != nil {
		return err
	}
	measure.Heading("%d records from MARC, beside zebraidx", b.records)
	_, missing := exec.LookPath("zebraidx")
	var ours, memory []float64
	var theirs [2][]float64 // as it comes; with ICU
	var hits [2]int
	for range b.runs {
		data := filepath.Join(b.tmp, "marc")
		t, err := b.take(ctx, data, "marc", file, b.records)
		if err != nil {
			return err
		}
		ours, memory = append(ours, t.Wall), append(memory, t.anon)
		if err := remove(data); err != nil {
			return err
		}
		for i := range theirs {
			if missing != nil {
				break
			}
			wall, n, err := b.zebra(ctx, file, word, i == 1)
			if err != nil {
				return err
			}
			theirs[i], hits[i] = append(theirs[i], wall), n
		}
	}
	measure.Row("time", "s", true, measure.Goal{Ratio: 3}, measure.Side{Name: "wenlan", Runs: ours}, measure.Side{Name: "zebraidx with ICU", Runs: theirs[1]})
	measure.Row("time", "s", true, measure.Goal{}, measure.Side{Name: "wenlan", Runs: ours}, measure.Side{Name: "zebraidx as it comes", Runs: theirs[0]})
	if missing == nil {
		fmt.Printf("  titles that zebra finds by %s: %d with ICU, %d as it comes\n", word, hits[1], hits[0])
	}
	measure.Row("most anonymous memory", "MB", true, measure.Goal{Limit: 1610}, measure.Side{Name: "wenlan", Runs: memory})
	return nil
}
