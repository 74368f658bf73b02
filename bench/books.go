package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"wenlan/bench/measure"
)

// copyBooks copies every EPUB of the test data into one folder, so that both
// sides take in the same files and nothing else.
func copyBooks(from, to string) (int, error) {
	n := 0
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".epub" {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			return err
		}
		n++
		return os.WriteFile(dst, data, 0o644)
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("no EPUB under %s (set WENLAN_TESTDATA)", from)
	}
	return n, err
}

// words make titles and names that differ.
var words = strings.Fields(`amber bridge cloud dawn ember field garden harbour island
	journey kingdom lantern mountain night orchard pine quiet river summer temple
	upland valley winter 春 夏 秋 冬 江 河 山 水 花 月 風 雪 書 詩 史`)

// writeMany writes n small EPUBs, each a book of its own.
func writeMany(dir string, n int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func() string { return words[rng.IntN(len(words))] }
	for i := range n {
		title := fmt.Sprintf("%s %s %s %d", pick(), pick(), pick(), i)
		creator := fmt.Sprintf("%s %s", pick(), pick())
		folder := filepath.Join(dir, fmt.Sprintf("%03d", i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
		}
		name := fmt.Sprintf("%06d.epub", i)
		if err := measure.WriteEPUB(filepath.Join(folder, name), measure.Book{ID: name, Title: title, Creator: creator}); err != nil {
			return err
		}
	}
	return nil
}
