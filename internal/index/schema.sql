-- The index on SQLite FTS5. Its text is stored as tokens only (contentless).

CREATE VIRTUAL TABLE fts USING fts5(
	title, creators, about, abstract, ids, facets,
	content='', contentless_delete=1, tokenize='ascii'
);

-- What filters, facets and sorting need of each record that can be found.
CREATE TABLE docs (
	n        INTEGER PRIMARY KEY, -- accession number
	year     INTEGER NOT NULL,    -- -100000: unknown
	kind     TEXT NOT NULL,
	langs    TEXT NOT NULL,       -- comma between
	subjects BLOB,                -- numbers of subjects, as varints
	tkey     BLOB NOT NULL        -- the start of the folded title
);
CREATE INDEX docs_year ON docs (year, n);
CREATE INDEX docs_title ON docs (tkey, n);

CREATE TABLE subjects (id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE);

-- Which records an entry names, accessions apart, and what merges name.
CREATE TABLE entry_of (entry INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (entry, n)) WITHOUT ROWID;
CREATE TABLE merges (entry INTEGER PRIMARY KEY, src INTEGER NOT NULL, dst INTEGER NOT NULL);

INSERT INTO meta (k, v) VALUES ('docs', 0);
