package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"wenlan/internal/record"
	"wenlan/internal/view"
)

// Flags of a record. The partial indices of schema.sql name their values.
const (
	flagHidden      = 1 // merged into another
	flagNeedsRights = 2
	flagReadable    = 4
	flagDuplicate   = 8
	flagBroken      = 16 // its entries do not fold
)

// facts is the row of a record: what is found and counted, derived from its state.
type facts struct {
	keys  []int64 // sorted
	kind  string
	langs []string
	year  int
	files int64
	bytes int64
	opens int64
	flags int64
}

// The spaces of keys. A key of the same value in another space is another key.
const (
	spaceBlob    = "blob\x00"
	spaceID      = "id\x00"
	spaceTitle   = "title\x00"
	spaceSource  = "source\x00"
	spaceWork    = "work\x00"    // see record.WorkKeys
	spaceRelates = "relates\x00" // what a record says it is an edition of: an identifier, "doi:10.1/x", or a record, "#12"
	spaceCreator = "creator\x00" // identifiers of creators: "orcid:…", "isni:…"
)

// keyOf is the hash of a key. Odd keys make duplicates of the records that share
// them; a key is looked up in both forms.
func keyOf(space, value string, duplicates bool) int64 {
	sum := sha256.Sum256([]byte(space + value))
	k := int64(binary.BigEndian.Uint64(sum[:8])) &^ 1
	if duplicates {
		k |= 1
	}
	return k
}

// keyList gives the keys of a record. Records that are merged away can still be
// found, but make no duplicates.
func keyList(st *record.State) []int64 {
	merged := st.MergedInto != nil
	var keys []int64
	for _, f := range st.Files {
		keys = append(keys, keyOf(spaceBlob, f.SHA256, f.Role == record.RoleText && !merged))
	}
	for _, id := range st.Record.IDs {
		id, valid := record.NormalID(id.Scheme, id.Value)
		same := valid && record.IsEditionScheme(id.Scheme)
		keys = append(keys, keyOf(spaceID, id.Scheme+":"+id.Value, same && !merged))
	}
	if k := record.TitleKey(st.Record); k != "" {
		keys = append(keys, keyOf(spaceTitle, k, !merged))
	}
	keys = sourceKeys(keys, st)
	for _, k := range record.WorkKeys(st.Record) {
		keys = append(keys, keyOf(spaceWork, k, false))
	}
	for _, rel := range st.Record.Relations {
		if about, ok := relatesTo(rel); ok {
			keys = append(keys, keyOf(spaceRelates, about, false))
		}
	}
	for _, creator := range st.Record.Creators {
		for _, id := range creator.IDs {
			if id, ok := creatorID(id); ok {
				keys = append(keys, keyOf(spaceCreator, id.Scheme+":"+id.Value, false))
			}
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) > maxKeys { // but for those by which an import knows the record
		keys = sourceKeys(keys[:maxKeys], st)
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	return keys
}

// sourceKeys adds the keys of what the sources of a record call it.
func sourceKeys(keys []int64, st *record.State) []int64 {
	for _, s := range st.Sources {
		if s.ID != "" {
			keys = append(keys, keyOf(spaceSource, s.Name+"\x00"+s.ID, false))
		}
	}
	return keys
}

// relatesTo is the value of a key for what a relation names, if that is an edition
// of the same work. An identifier of the scheme local names nothing elsewhere.
func relatesTo(rel record.Relation) (string, bool) {
	switch {
	case !record.SameWork(rel.Type):
	case rel.Record != nil:
		return "#" + strconv.FormatInt(*rel.Record, 10), true
	case rel.ID != nil:
		if id, ok := record.NormalID(rel.ID.Scheme, rel.ID.Value); ok && id.Scheme != "local" {
			return id.Scheme + ":" + id.Value, true
		}
	}
	return "", false
}

// creatorID is an identifier that makes creators one, in its normal form.
func creatorID(id record.ID) (record.ID, bool) {
	id, ok := record.NormalID(id.Scheme, id.Value)
	return id, ok && (id.Scheme == "orcid" || id.Scheme == "isni")
}

// maxKeys bounds the keys of one record, which anyone's deposit may have many of.
const maxKeys = 4096

// factsOf derives the row of a record. closings gives the withdrawals in force of
// a blob.
func factsOf(st *record.State, closings func(sha256 string) ([]record.Withdrawal, error)) (facts, error) {
	f := facts{kind: view.Kind(st.Record), langs: view.Languages(st.Record), year: view.Year(st.Record.Issued), keys: keyList(st)}
	if st.MergedInto != nil {
		f.flags |= flagHidden
	}
	for _, file := range st.Files {
		f.files++
		f.bytes += file.Bytes
	}
	if f.files == 0 {
		return f, nil
	}
	for _, file := range st.Files {
		if file.Role == record.RoleCover {
			continue
		}
		closed, err := closings(file.SHA256)
		if err != nil {
			return f, err
		}
		q := record.Question{State: st, BlobWithdrawals: closed}
		now := record.Decide(q)
		q.At = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		later := record.Decide(q)
		switch {
		case now.Read:
			f.flags |= flagReadable
		case later.Read && st.Rights != nil:
			if day, err := time.Parse(time.DateOnly, st.Rights.Opens); err == nil {
				f.opens = day.Unix() / 86400
			}
		case later.Reason == record.ReasonNotStated:
			f.flags |= flagNeedsRights
		}
	}
	if f.flags&flagReadable != 0 {
		f.opens = 0
	}
	if f.flags&(flagReadable|flagHidden) != 0 || f.opens != 0 {
		f.flags &^= flagNeedsRights
	}
	return f, nil
}

// packEntries writes ascending indices as varint differences; nil for [n] alone.
func packEntries(n int64, entries []int64) []byte {
	if len(entries) == 1 && entries[0] == n {
		return nil
	}
	return packList(entries)
}

func packList(entries []int64) []byte {
	out := []byte{}
	last := int64(0)
	for _, e := range entries {
		out = binary.AppendUvarint(out, uint64(e-last))
		last = e
	}
	return out
}

func unpackEntries(n int64, b []byte) []int64 {
	if b == nil {
		return []int64{n}
	}
	return unpackList(b)
}

func unpackList(b []byte) []int64 {
	var out []int64
	last := int64(0)
	for len(b) > 0 {
		d, size := binary.Uvarint(b)
		if size <= 0 {
			break
		}
		last += int64(d)
		out = append(out, last)
		b = b[size:]
	}
	return out
}
