package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// built is what building gave.
type built struct {
	Records int              `json:"records"`
	Seconds float64          `json:"seconds"` // until all is on disk and merged
	Bytes   int64            `json:"bytes"`
	Split   map[string]int64 `json:"split,omitempty"`
	Used    used             `json:"used"`
}

// timed is one run of one class.
type timed struct {
	OpenMs   float64 `json:"open_ms"`
	Records  int     `json:"records"`
	Segments int     `json:"segments"`
	Ns       []int64 `json:"ns"` // of each query; one that was cut counts as its deadline
	Totals   []int64 `json:"totals"`
	Exact    []bool  `json:"exact"`
	Cut      int     `json:"cut"` // queries that their budget cut
	Used     used    `json:"used"`
}

// opened is one opening.
type opened struct {
	OpenMs   float64 `json:"open_ms"`
	ColdMs   float64 `json:"cold_ms,omitempty"`
	Records  int     `json:"records"`
	Segments int     `json:"segments"`
}

// checked is the comparison of one class with the oracle.
type checked struct {
	Queries int      `json:"queries"`
	Same    int      `json:"same"`   // the scores of the ten best are those of the oracle
	Totals  int      `json:"totals"` // exact totals that are wrong
	Facets  int      `json:"facets"` // queries with a count off by more than 2%
	Cut     int      `json:"cut"`
	Wrong   []string `json:"wrong,omitempty"` // the first ones that differ
}

// disturbed is a measurement at rest and under a load.
type disturbed struct {
	Idle    []int64 `json:"idle"` // ns of each query
	Loaded  []int64 `json:"loaded"`
	Hostile int     `json:"hostile,omitempty"` // hostile queries answered meanwhile
	Cut     int     `json:"cut,omitempty"`     // of these, cut by the budget
	Written int     `json:"written,omitempty"` // records written meanwhile
	Seconds float64 `json:"seconds"`
}

// load reads a cell; false when it was not measured.
func load(path string, v any) (bool, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}

// save writes a cell; it appears whole or not at all.
func save(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".part", raw, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// source names the state of a tree of Go files, without its tests.
func source(roots ...string) (string, error) {
	h := sha256.New()
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%s %d\n", path, len(raw))
			h.Write(raw)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:8], nil
}

// size is the sum of all files below a folder.
func size(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}
