package catalog

import "fmt"

// count adds a record to the counts, or takes it away.
func (b *work) count(f facts, sign int64) {
	if f.flags&flagHidden != 0 {
		return
	}
	add := func(what, key string, n int64) {
		if n != 0 {
			b.counts[countKey{what, key}] += sign * n
		}
	}
	add("total", "records", 1)
	add("total", "files", f.files)
	add("total", "bytes", f.bytes)
	if f.flags&flagReadable != 0 {
		add("total", "readable", 1)
	}
	add("kind", f.kind, 1)
	for _, l := range f.langs {
		add("language", l, 1)
	}
	if f.year != 0 {
		add("year", fmt.Sprintf("%05d", f.year), 1)
	}
	if f.opens != 0 {
		add("opens", fmt.Sprintf("%08d", f.opens), 1)
	}
}

func (b *work) writeCounts() error {
	for key, n := range b.counts {
		if n == 0 {
			continue
		}
		err := b.exec("INSERT INTO counts (what, key, n) VALUES (?, ?, ?) ON CONFLICT (what, key) DO UPDATE SET n = n + excluded.n", key.what, key.key, n)
		if err != nil {
			return err
		}
	}
	return b.exec("DELETE FROM counts WHERE n = 0")
}
