package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"wenlan/internal/format"
)

// doc is a document of a judged collection.
type doc struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Text     string `json:"text"`
	Language string `json:"language"`
}

// collection is documents, questions, and the right answers.
type collection struct {
	name    string
	chinese bool
	phrase  bool // questions are quotations: words in their order
	body    bool // documents are full text, not descriptions
	docs    []doc
	queries []doc // ID and Text
	right   map[string]map[string]bool
}

// lines decodes a file of one JSON object a line.
func lines[T any](path string) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []T
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var v T
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, v)
	}
	return out, s.Err()
}

// readJudged reads docs.jsonl, queries.jsonl and qrels.tsv of a folder.
func readJudged(dir string) (*collection, error) {
	c := &collection{name: filepath.Base(dir), right: map[string]map[string]bool{}}
	var err error
	if c.docs, err = lines[doc](filepath.Join(dir, "docs.jsonl")); err != nil {
		return nil, err
	}
	if c.queries, err = lines[doc](filepath.Join(dir, "queries.jsonl")); err != nil {
		return nil, err
	}
	for i := range c.docs {
		c.docs[i].Title = strings.ReplaceAll(c.docs[i].Title, "_", " ")
	}
	c.chinese = len(c.queries) > 0 && strings.HasPrefix(c.queries[0].Language, "zh")
	raw, err := os.ReadFile(filepath.Join(dir, "qrels.tsv"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(raw)) {
		col := strings.Fields(line) // query, 0, document, relevance: the order of TREC
		if len(col) != 4 {
			return nil, fmt.Errorf("%s: qrels: %q", dir, line)
		}
		if col[3] == "0" {
			continue
		}
		if c.right[col[0]] == nil {
			c.right[col[0]] = map[string]bool{}
		}
		c.right[col[0]][col[2]] = true
	}
	return c, c.check()
}

// check says whether every question has a right answer that is there.
func (c *collection) check() error {
	there := map[string]bool{}
	for _, d := range c.docs {
		there[d.ID] = true
	}
	for _, q := range c.queries {
		if len(c.right[q.ID]) == 0 {
			return fmt.Errorf("%s: the query %s has no right answer", c.name, q.ID)
		}
		for id := range c.right[q.ID] {
			if !there[id] {
				return fmt.Errorf("%s: the document %s is missing", c.name, id)
			}
		}
	}
	return nil
}

// readQuotes makes two collections, English and Chinese, of the books: a document is
// a chapter, a question a phrase from one. All books of the language are there, not
// only those that are quoted.
func readQuotes(ctx context.Context, data string) ([]*collection, error) {
	type quote struct {
		ID, Query, Language, File, Href string
	}
	quotes, err := lines[quote](filepath.Join(data, "relevance", "quotes", "quotes.jsonl"))
	if err != nil {
		return nil, err
	}
	var out []*collection
	for _, lang := range []string{"en", "zh"} {
		c := &collection{name: "quotes-" + lang, chinese: lang == "zh", phrase: true, body: true, right: map[string]map[string]bool{}}
		err := filepath.WalkDir(filepath.Join(data, "books", lang), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".epub" {
				return err
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(data, path)
			if err != nil {
				return err
			}
			return format.Chapters(ctx, bytes.NewReader(raw), format.MediaEPUB, func(ch format.Chapter) error {
				c.docs = append(c.docs, doc{ID: filepath.ToSlash(rel) + "#" + ch.Href, Text: ch.Text})
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
		for _, q := range quotes {
			if !strings.HasPrefix(q.Language, lang) {
				continue
			}
			c.queries = append(c.queries, doc{ID: q.ID, Text: q.Query})
			c.right[q.ID] = map[string]bool{q.File + "#" + q.Href: true}
		}
		if err := c.check(); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}
