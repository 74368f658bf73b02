-- The catalogue: keys and entry indices, no text. See the package comment.

CREATE TABLE records (
	n       INTEGER PRIMARY KEY, -- accession number
	entries BLOB,                -- indices of the entries that name it, as varint differences; NULL: [n]
	kind    TEXT NOT NULL,
	langs   TEXT NOT NULL,       -- primary subtags, comma between
	year    INTEGER NOT NULL,    -- 0: unknown
	files   INTEGER NOT NULL,
	bytes   INTEGER NOT NULL,
	opens   INTEGER NOT NULL,    -- day since 1970 from which it can be read; 0: none
	flags   INTEGER NOT NULL
);
CREATE INDEX records_visible ON records (n) WHERE flags & 1 = 0;
CREATE INDEX records_rights ON records (n) WHERE flags & 2 = 2;
CREATE INDEX records_dup ON records (n) WHERE flags & 8 = 8;

-- Keys: hashes of blobs, identifiers, title keys, sources …; odd ones make
-- duplicates. What the last batches said of them, 16 bytes a pair, and the runs that hold
-- the others; see keys.go.
CREATE TABLE key_recent (id INTEGER PRIMARY KEY, pairs BLOB NOT NULL);
CREATE TABLE key_runs (id INTEGER PRIMARY KEY, level INTEGER NOT NULL);

-- Which records an entry names, accessions apart.
CREATE TABLE entry_of (entry INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (entry, n)) WITHOUT ROWID;

-- The same of entries that were erased since, as far as they were read before.
CREATE TABLE erased_of (entry INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (entry, n)) WITHOUT ROWID;

CREATE TABLE merges (entry INTEGER PRIMARY KEY, src INTEGER NOT NULL, dst INTEGER NOT NULL);
CREATE INDEX merges_src ON merges (src);
CREATE INDEX merges_dst ON merges (dst);
CREATE TABLE unmerges (entry INTEGER PRIMARY KEY, merge INTEGER NOT NULL);
CREATE INDEX unmerges_merge ON unmerges (merge);

-- Erased entries, and the erasure that says so (-1: not read yet).
CREATE TABLE gone (n INTEGER PRIMARY KEY, erasure INTEGER NOT NULL);

-- Withdrawals and restorations of blobs, and what else restricts them.
CREATE TABLE closings (sha256 BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;

-- Blobs that an entry names as its body: register data, always served.
CREATE TABLE bodies (sha256 BLOB NOT NULL, entry INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (sha256, entry)) WITHOUT ROWID;
CREATE INDEX bodies_entry ON bodies (entry);

CREATE TABLE counts (what TEXT NOT NULL, key TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (what, key)) WITHOUT ROWID;
