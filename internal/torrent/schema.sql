-- The shelves of the register, and what waits for one. See the package comment.

CREATE TABLE shelves (
	number   INTEGER PRIMARY KEY,  -- 1, 2, 3 … in the order of the register
	entry    INTEGER NOT NULL UNIQUE,
	time     INTEGER NOT NULL,     -- of the entry, Unix seconds
	body     BLOB NOT NULL,        -- SHA-256 of the manifest
	size     INTEGER NOT NULL,     -- of the manifest, in bytes
	infohash BLOB NOT NULL,
	files    INTEGER NOT NULL,
	bytes    INTEGER NOT NULL,
	replaces INTEGER NOT NULL,     -- a number; 0: none
	replaced INTEGER NOT NULL,     -- by which number; 0: not
	closed   INTEGER NOT NULL,     -- how many of its files may not be passed on
	changed  INTEGER NOT NULL,     -- when what may be given out of it last changed, Unix seconds
	broken   TEXT NOT NULL         -- why the manifest is no good; empty: it is
);
CREATE INDEX shelves_infohash ON shelves (infohash);
CREATE INDEX shelves_body ON shelves (body);
CREATE INDEX shelves_closed ON shelves (number) WHERE closed > 0 AND replaced = 0;

-- What is on them.
CREATE TABLE files (sha256 BLOB NOT NULL, shelf INTEGER NOT NULL, closed INTEGER NOT NULL, PRIMARY KEY (sha256, shelf)) WITHOUT ROWID;

-- Files that may go on a shelf and are on none.
CREATE TABLE waiting (sha256 BLOB PRIMARY KEY, since INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX waiting_since ON waiting (since, sha256);

-- Which records name a file that is on a shelf or was found fit for one; some may name it no more.
CREATE TABLE named (n INTEGER NOT NULL, sha256 BLOB NOT NULL, PRIMARY KEY (n, sha256)) WITHOUT ROWID;

CREATE TABLE totals (k TEXT PRIMARY KEY, v INTEGER NOT NULL) WITHOUT ROWID; -- files and bytes in waiting
