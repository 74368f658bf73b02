// Relevance measures how well Wenlan's engine ranks, beside the BM25 of SQLite FTS5
// and of Lucene 8.7, on the same texts:
//
//   - questions that people wrote for one paragraph each, in English and Chinese
//     (xquad-en, xquad-zh, cmrc2018-zh-hans), and phrases out of books (quotes):
//     nDCG@10, MAP and recall@100;
//   - known-item search in real records, clean and with one typo.
//
// README.md beside it says what each side does with the text. What is not installed
// or not there is named and left out.
//
//	go run ./bench/relevance
//	go run ./bench/relevance -only xquad-en,known -show 20
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	data := flag.String("data", testData(), "`folder` of the test data")
	only := flag.String("only", "", "`parts`: xquad-en, xquad-zh, cmrc2018-zh-hans, quotes, known")
	show := flag.Int("show", 0, "print so many of the known items that were not found")
	flag.Parse()
	if err := run(ctx, *data, *only, *show); err != nil {
		fmt.Fprintln(os.Stderr, "bench/relevance:", err)
		os.Exit(1)
	}
}

// testData is the folder of real books: WENLAN_TESTDATA, or beside the repository.
func testData() string {
	if dir := os.Getenv("WENLAN_TESTDATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "shared", "data")
}

func run(ctx context.Context, data, only string, show int) error {
	want := func(name string) bool { return only == "" || slices.Contains(strings.Split(only, ","), name) }
	if _, err := os.Stat(data); err != nil {
		return fmt.Errorf("no test data: %w", err)
	}
	tmp, err := os.MkdirTemp("", "wenlan-relevance-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	java, err := lucene(ctx, tmp)
	if err != nil {
		fmt.Printf("no Lucene: %v\n", err)
	}
	var all []*collection
	for _, name := range []string{"xquad-en", "xquad-zh", "cmrc2018-zh-hans"} {
		if !want(name) {
			continue
		}
		c, err := readJudged(filepath.Join(data, "relevance", name))
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	if want("quotes") {
		quotes, err := readQuotes(ctx, data)
		if err != nil {
			return err
		}
		all = append(all, quotes...)
	}
	for _, c := range all {
		if err := compare(ctx, c, java); err != nil {
			return err
		}
	}
	if want("known") {
		return knownItems(ctx, data, show)
	}
	return nil
}

// compare prints the figures of one collection, a line for each way to rank.
func compare(ctx context.Context, c *collection, java func(string, bool) ranker) error {
	fmt.Printf("\n%s: %d documents, %d queries\n  %-40s %8s %8s %11s\n", c.name, len(c.docs), len(c.queries), "", "nDCG@10", "MAP", "recall@100")
	type way struct {
		name string
		rank ranker
	}
	ways := []way{{"Wenlan, as typed", wenlan(typed)}}
	if c.phrase {
		ways = append(ways, way{"Wenlan, as a quotation", wenlan(quoted)})
	}
	ways = append(ways, way{"Wenlan, any word", wenlan(anyWord)})
	tokenizer, analyzers := "porter", []string{"english"}
	if c.chinese {
		tokenizer, analyzers = "our bigrams", []string{"cjk", "smartcn"}
	}
	ways = append(ways, way{"SQLite FTS5 bm25, " + tokenizer + ", any word", sqlite(false)})
	if c.phrase {
		ways = append(ways, way{"SQLite FTS5 bm25, " + tokenizer + ", phrase", sqlite(true)})
	}
	if java != nil {
		for _, a := range analyzers {
			ways = append(ways, way{"Lucene BM25, " + a + ", any word", java(a, false)})
			if c.phrase {
				ways = append(ways, way{"Lucene BM25, " + a + ", phrase", java(a, true)})
			}
		}
	}
	for _, w := range ways {
		rankings, err := w.rank(ctx, c)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", w.name, c.name, err)
		}
		var each []judged
		for _, q := range c.queries {
			each = append(each, judge(rankings[q.ID], c.right[q.ID]))
		}
		m := mean(each)
		fmt.Printf("  %-40s %8.4f %8.4f %11.4f\n", w.name, m.ndcg, m.ap, m.recall)
	}
	return nil
}
