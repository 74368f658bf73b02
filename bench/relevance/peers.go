package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	_ "modernc.org/sqlite" // the driver that the rest of Wenlan uses
	"wenlan/internal/index/analysis"
)

// depth is how much of a ranking is asked for.
const depth = 100

// ranker gives each question of a collection its ranking.
type ranker func(ctx context.Context, c *collection) (map[string][]string, error)

// The jars of Debian's liblucene8-java that the peer needs.
var jars = []string{
	"/usr/share/java/lucene-core-8.7.0.jar",
	"/usr/share/java/lucene-analyzers-common-8.7.0.jar",
	"/usr/share/java/lucene-analyzers-smartcn-8.7.0.jar",
}

// oneLine is a text without the characters that part the columns.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// lucene compiles the Java peer into dir, and gives a ranker for one of Lucene's
// analysers.
func lucene(ctx context.Context, dir string) (func(analyzer string, phrase bool) ranker, error) {
	for _, jar := range jars {
		if _, err := os.Stat(jar); err != nil {
			return nil, fmt.Errorf("%w (apt-get install liblucene8-java default-jdk-headless)", err)
		}
	}
	path := strings.Join(append([]string{dir}, jars...), ":")
	if out, err := exec.CommandContext(ctx, "javac", "-cp", path, "-d", dir, "bench/relevance/lucene/Ranker.java").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("javac: %w\n%s", err, out)
	}
	return func(analyzer string, phrase bool) ranker {
		return func(ctx context.Context, c *collection) (map[string][]string, error) {
			var docs, queries bytes.Buffer
			for _, d := range c.docs {
				fmt.Fprintf(&docs, "%s\t%s\n", d.ID, oneLine(d.Title+" "+d.Text))
			}
			for _, q := range c.queries {
				fmt.Fprintf(&queries, "%s\t%s\n", q.ID, oneLine(q.Text))
			}
			docsFile, queriesFile := filepath.Join(dir, "docs.tsv"), filepath.Join(dir, "queries.tsv")
			if err := os.WriteFile(docsFile, docs.Bytes(), 0o644); err != nil {
				return nil, err
			}
			if err := os.WriteFile(queriesFile, queries.Bytes(), 0o644); err != nil {
				return nil, err
			}
			how := "words"
			if phrase {
				how = "phrase"
			}
			cmd := exec.CommandContext(ctx, "java", "-Xmx2g", "-cp", path, "Ranker", analyzer, how, docsFile, queriesFile, strconv.Itoa(depth))
			var bad bytes.Buffer
			cmd.Stderr = &bad
			raw, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("java: %w\n%s", err, bad.Bytes())
			}
			out := map[string][]string{}
			for line := range strings.Lines(string(raw)) {
				query, id, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
				out[query] = append(out[query], id)
			}
			return out, nil
		}
	}, nil
}

// cut makes words for FTS5: of Chinese the bigrams of our analyser, because FTS5 has
// no tokenizer for it but the trigram one, which finds no word of two characters; of
// English the plain words, which FTS5's porter and unicode61 then stem and fold.
func cut(text string, chinese bool) []string {
	if chinese {
		var a analysis.Analyzer
		return a.Append(nil, text)
	}
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// sqlite ranks by FTS5's bm25, any of the words, or the phrase.
func sqlite(phrase bool) ranker {
	return func(ctx context.Context, c *collection) (map[string][]string, error) {
		db, err := sql.Open("sqlite", ":memory:")
		if err != nil {
			return nil, err
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		tokenizer := "porter unicode61 remove_diacritics 2"
		if c.chinese {
			tokenizer = "unicode61"
		}
		if _, err := db.ExecContext(ctx, "CREATE VIRTUAL TABLE fts USING fts5(text, tokenize='"+tokenizer+"')"); err != nil {
			return nil, err
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer tx.Rollback()
		for i, d := range c.docs {
			if _, err := tx.ExecContext(ctx, "INSERT INTO fts(rowid, text) VALUES(?, ?)", i+1, strings.Join(cut(d.Title+"\n"+d.Text, c.chinese), " ")); err != nil {
				return nil, err
			}
		}
		if err := tx.Commit(); err != nil {
			return nil, err
		}
		out := map[string][]string{}
		for _, q := range c.queries {
			words := cut(q.Text, c.chinese)
			if len(words) == 0 {
				continue
			}
			match := `"` + strings.Join(words, `" OR "`) + `"`
			if phrase {
				match = `"` + strings.Join(words, " ") + `"`
			}
			rows, err := db.QueryContext(ctx, "SELECT rowid FROM fts WHERE fts MATCH ? ORDER BY rank, rowid LIMIT ?", match, depth)
			if err != nil {
				return nil, err
			}
			for rows.Next() {
				var i int
				if err := rows.Scan(&i); err != nil {
					return nil, err
				}
				out[q.ID] = append(out[q.ID], c.docs[i-1].ID)
			}
			if err := rows.Err(); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}
