package main

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver that the rest of Wenlan uses
	"wenlan/bench/index/gen"
)

// sqlite is the FTS5 peer, through the pure Go driver that Wenlan uses. It writes
// on one thread, has no typos, and counts no totals: it is asked for what a program
// would ask it for, the best hits.
type sqlite struct{ db *sql.DB }

func openSQLite(dir string) (*sqlite, error) {
	pragmas := []string{"journal_mode(wal)", "synchronous(normal)", "cache_size(-262144)", "mmap_size(8589934592)", "temp_store(memory)"}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "index.db")+"?_pragma="+strings.Join(pragmas, "&_pragma="))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &sqlite{db}, db.Ping()
}

func (s *sqlite) Close() error { return s.db.Close() }

func buildSQLite(dir, records string, n int) (*built, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	begin := time.Now()
	s, err := openSQLite(dir)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, q := range []string{
		`CREATE VIRTUAL TABLE fts USING fts5(title, author, rest, content='', contentless_delete=1, detail=full, prefix='3', tokenize='unicode61 remove_diacritics 2')`,
		`CREATE TABLE rec(id INTEGER PRIMARY KEY, lang TEXT, year INT, kind TEXT, format TEXT, ident TEXT)`,
		`CREATE TABLE subject(id INTEGER PRIMARY KEY, name TEXT UNIQUE)`,
		`CREATE TABLE recsubject(rec INT, subject INT, PRIMARY KEY(rec, subject)) WITHOUT ROWID`,
		`INSERT INTO fts(fts, rank) VALUES('hashsize', 67108864)`,
	} {
		if _, err := s.db.Exec(q); err != nil {
			return nil, err
		}
	}
	subjects := map[string]int{}
	err = batches(records, n, 50_000, 1, func(lines [][]string) error {
		tx, err := s.db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		text, err := tx.Prepare("INSERT INTO fts(rowid, title, author, rest) VALUES(?, ?, ?, ?)")
		if err != nil {
			return err
		}
		rec, err := tx.Prepare("INSERT INTO rec VALUES(?, ?, ?, ?, ?, ?)")
		if err != nil {
			return err
		}
		about, err := tx.Prepare("INSERT OR IGNORE INTO recsubject VALUES(?, ?)")
		if err != nil {
			return err
		}
		for _, c := range lines {
			id, err := strconv.Atoi(c[gen.ID])
			if err != nil {
				return err
			}
			if _, err := text.Exec(id, c[gen.Title], c[gen.Authors], c[gen.Publisher]+" "+c[gen.Abstract]); err != nil {
				return err
			}
			if _, err := rec.Exec(id, c[gen.Language], c[gen.Year], c[gen.Kind], c[gen.Format], c[gen.Identifier]); err != nil {
				return err
			}
			for name := range strings.SplitSeq(c[gen.Subjects], ";") {
				k := subjects[name]
				if k == 0 {
					k = len(subjects) + 1
					subjects[name] = k
					if _, err := tx.Exec("INSERT INTO subject VALUES(?, ?)", k, name); err != nil {
						return err
					}
				}
				if _, err := about.Exec(id, k); err != nil {
					return err
				}
			}
		}
		return tx.Commit()
	})
	if err != nil {
		return nil, err
	}
	for _, q := range []string{"CREATE INDEX ident ON rec(ident)", "INSERT INTO fts(fts) VALUES('optimize')", "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := s.db.Exec(q); err != nil {
			return nil, err
		}
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	took := time.Since(begin)
	bytes, err := size(dir)
	return &built{Records: n, Seconds: took.Seconds(), Bytes: bytes}, err
}

// match writes tokens as an FTS5 query that wants all of them.
func match(tokens string) string {
	return `"` + strings.Join(strings.Fields(tokens), `" "`) + `"`
}

// ask gives the number of hits read.
func (s *sqlite) ask(ctx context.Context, class string, q []string) (int, error) {
	const top = "SELECT rowid FROM fts WHERE fts MATCH ? ORDER BY rank LIMIT 20"
	rows := func(query string, args ...any) (int, error) {
		rows, err := s.db.QueryContext(ctx, query, args...)
		if err != nil {
			return 0, err
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			n++
		}
		return n, rows.Err()
	}
	switch class {
	case "and2", "zh3", "common":
		return rows(top, match(q[0]))
	case "phrase":
		return rows(top, `"`+q[0]+`"`)
	case "authtitle":
		return rows(top, "author:("+match(q[0])+") AND title:("+match(q[1])+")")
	case "ident":
		return rows("SELECT id FROM rec WHERE ident = ?", q[0])
	case "prefix":
		return rows("SELECT rowid FROM fts WHERE fts MATCH ? ORDER BY rank LIMIT 10", "title:("+q[0]+" AND "+q[1]+"*)")
	case "or3":
		return rows(top, `"`+strings.Join(q, `" OR "`)+`"`)
	case "facetmid", "facetcommon":
		for _, query := range []string{
			"SELECT lang, COUNT(*) FROM fts JOIN rec ON rec.id = fts.rowid WHERE fts MATCH ? GROUP BY 1 ORDER BY 2 DESC LIMIT 20",
			"SELECT year, COUNT(*) FROM fts JOIN rec ON rec.id = fts.rowid WHERE fts MATCH ? GROUP BY 1 ORDER BY 2 DESC LIMIT 20",
			"SELECT subject, COUNT(*) FROM fts JOIN recsubject ON rec = fts.rowid WHERE fts MATCH ? GROUP BY 1 ORDER BY 2 DESC LIMIT 20",
		} {
			if _, err := rows(query, match(q[0])); err != nil {
				return 0, err
			}
		}
		return rows(top, match(q[0]))
	case "sortyear":
		return rows("SELECT fts.rowid FROM fts JOIN rec ON rec.id = fts.rowid WHERE fts MATCH ? ORDER BY year DESC LIMIT 20", match(q[0]))
	case "filter":
		return rows("SELECT fts.rowid FROM fts JOIN rec ON rec.id = fts.rowid WHERE fts MATCH ? AND lang = ? AND year BETWEEN ? AND ? ORDER BY rank LIMIT 20", match(q[0]), q[1], q[2], q[3])
	}
	return 0, errNone
}
