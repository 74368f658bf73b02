package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/app"
	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/intake"
	"wenlan/internal/record"
)

// exportOwn is a library in Wenlan's own form.
func exportOwn(t *testing.T, l *app.Library) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := l.ExportRecords(t.Context(), app.RecordsRequest{Format: "jsonl"}, &out, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// sameText fails with the first line that differs.
func sameText(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	x, y := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			t.Fatalf("%s: line %d\n%s\nnot\n%s", what, i+1, x[i], y[i])
		}
	}
	t.Fatalf("%s: %d lines, not %d", what, len(x), len(y))
}

// manySources makes a library of records that several sources, a librarian and files
// have made.
func manySources(t *testing.T) (*app.Library, *intake.Intake) {
	t.Helper()
	l, in := library(t, nil)
	own := func(lines ...string) {
		t.Helper()
		outs, sum := imports(t, in, "jsonl", intake.ImportOptions{}, strings.Join(lines, "\n"))
		if sum.Refused > 0 {
			t.Fatal(outs[0].Err)
		}
	}
	long := strings.Repeat("long ", 20_000)
	own(`{"record":{"title":"Only one source","languages":["en"]},"source":{"name":"a","id":"0","extra":{"500":["n"]}}}`,
		`{"record":{"title":"Joined","kind":"article","publisher":"P","container":{"title":"J","volume":"1"},"ids":[{"scheme":"doi","value":"10.1234/joined"}]},"source":{"name":"a","id":"1","extra":{"500":["of a"]}}}`,
		`{"record":{"title":"Revised","ids":[{"scheme":"oclc","value":"2"}]},"source":{"name":"a","id":"2"}}`,
		`{"record":{"title":"Long","ids":[{"scheme":"oclc","value":"3"}]},"source":{"name":"a","id":"3"}}`,
		`{"record":{"title":"Merged","ids":[{"scheme":"oclc","value":"4"}]},"source":{"name":"a","id":"4"}}`,
		`{"record":{"title":"Merged away"},"source":{"name":"a","id":"5"}}`)
	own(`{"record":{"title":"Joined: an article","kind":"article","place":"Here","container":{"volume":"1","issue":"2","pages":"3"},"ids":[{"scheme":"doi","value":"10.1234/joined"},{"scheme":"pmid","value":"9"}]},"source":{"name":"b","id":"x1","extra":{"funding":["F","G"]}}}`,
		`{"record":{"title":"Revised","place":"There","abstract":"Of b","ids":[{"scheme":"oclc","value":"2"}]},"source":{"name":"b","id":"x2"}}`,
		`{"record":{"title":"Long","abstract":"`+long+`","ids":[{"scheme":"oclc","value":"3"}]},"source":{"name":"b","id":"x3"}}`,
		`{"record":{"title":"Merged","place":"Of b","ids":[{"scheme":"oclc","value":"4"}]},"source":{"name":"b","id":"x4"}}`)
	own(`{"record":{"title":"Joined","kind":"article","place":"Elsewhere","languages":["en"],"ids":[{"scheme":"pmid","value":"9"}]},"source":{"name":"c","id":"y1"}}`,
		`{"record":{"title":"Revised","place":"Of c","ids":[{"scheme":"oclc","value":"2"}]},"source":{"name":"c","id":"y2"}}`)
	// b says less than it did, which hides what c says.
	own(`{"record":{"title":"Revised","abstract":"Of b, again","ids":[{"scheme":"oclc","value":"2"}]},"source":{"name":"b","id":"x2"}}`)
	dir := t.TempDir()
	outs, _ := add(t, in, publicDomain, write(t, dir, map[string]string{"open.txt": "Open\n\nA text.\n"}))
	outs2, _ := add(t, in, intake.Options{Basis: "permission", Access: "sale", Opens: "2999-01-01"}, write(t, t.TempDir(), map[string]string{"later.txt": "Later\n\nAnother text.\n"}))
	open, later := outs[0].Record, outs2[0].Record
	edit := func(n int64, patch string) {
		appendEntry(t, l, record.Entry{Type: record.TypeRevision, Of: &n, Patch: []byte(patch), Source: &record.Source{Name: record.Librarian, ID: "me", Digest: strings.Repeat("a", 64)}})
	}
	edit(3, `{"title":"Revised here","publisher":"Q","abstract":null,"relations":[{"type":"related_to","record":1}]}`)
	edit(4, `{"place":"Q"}`)
	edit(open, `{"title":"Open","ids":[{"scheme":"oclc","value":"77"}]}`)
	edit(later, `{"ids":[{"scheme":"oclc","value":"78"}],"title":"Later"}`)
	own(`{"record":{"title":"Open","languages":["en"],"ids":[{"scheme":"oclc","value":"77"}]},"source":{"name":"a","id":"o"}}`,
		`{"record":{"title":"Later","languages":["en"],"ids":[{"scheme":"oclc","value":"78"}]},"source":{"name":"a","id":"l"}}`)
	from, into := int64(6), int64(5)
	appendEntry(t, l, record.Entry{Type: record.TypeMerge, From: &from, Into: &into})
	return l, in
}

// takeBlobs gives a library the files of another.
func takeBlobs(t *testing.T, to, from *app.Library) {
	t.Helper()
	err := from.Blobs.Walk(t.Context(), func(sum string, size int64) error {
		r, err := from.Blobs.Open(t.Context(), sum)
		if err != nil {
			return err
		}
		defer r.Close()
		return to.Blobs.PutExpect(t.Context(), blob.Ref{SHA256: sum, Bytes: size}, io.NewSectionReader(r, 0, size))
	})
	if err == nil {
		err = to.Blobs.Flush(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOwnFormLosesNothing: what goes out in Wenlan's own form and into an empty library
// is there the same, source by source, and goes out of it to the byte.
func TestOwnFormLosesNothing(t *testing.T) {
	a, inA := manySources(t)
	text := exportOwn(t, a)
	if n := strings.Count(text, "\n"); n != 7 || strings.Count(text, `"others":[`) != 6 || strings.Contains(text, "Merged away") {
		t.Fatalf("%d lines:\n%s", n, text)
	}
	b, inB := library(t, nil)
	takeBlobs(t, b, a)
	outs, sum := imports(t, inB, "jsonl", intake.ImportOptions{}, text)
	if sum.Added != 7 || sum.Warned > 0 {
		t.Fatalf("%+v\n%s", sum, said(outs))
	}
	sameText(t, "once", exportOwn(t, b), text)
	same := func(b *app.Library) {
		t.Helper()
		for i, n := range []int64{1, 2, 3, 4, 5} {
			x, y := state(t, a, n), state(t, b, outs[i].Record)
			rx, ry := x.Record, y.Record
			if n == 3 { // the record that it names has another number there
				rx.Relations, ry.Relations = nil, nil
			}
			if !reflect.DeepEqual(rx, ry) || !reflect.DeepEqual(x.Sources, y.Sources) || !reflect.DeepEqual(x.Files, y.Files) || !reflect.DeepEqual(x.Rights, y.Rights) {
				t.Errorf("record %d:\n%+v\n%+v", n, x, y)
			}
		}
	}
	same(b)
	size := b.Register.Size()
	_, sum = imports(t, inB, "jsonl", intake.ImportOptions{}, text)
	if sum.Known != 7 || sum.Warned > 0 || b.Register.Size() != size {
		t.Errorf("once more: %+v, %d entries", sum, b.Register.Size()-size)
	}

	// What a source says next has the same effect in both.
	next := `{"record":{"title":"Joined","kind":"article","ids":[{"scheme":"doi","value":"10.1234/joined"}]},"source":{"name":"b","id":"x1"}}
{"record":{"title":"Revised","publisher":"Of c","ids":[{"scheme":"oclc","value":"2"}]},"source":{"name":"c","id":"y2"}}`
	for _, in := range []*intake.Intake{inA, inB} {
		if _, sum := imports(t, in, "jsonl", intake.ImportOptions{}, next); sum.Revised != 2 {
			t.Errorf("%+v", sum)
		}
	}
	sameText(t, "next", exportOwn(t, b), exportOwn(t, a))

	// A library that has the first state of the other sources follows.
	c, inC := library(t, nil)
	takeBlobs(t, c, a)
	imports(t, inC, "jsonl", intake.ImportOptions{}, text)
	if outs, sum := imports(t, inC, "jsonl", intake.ImportOptions{}, exportOwn(t, a)); sum.Revised != 2 || sum.Known != 5 {
		t.Error(said(outs))
	}
	sameText(t, "followed", exportOwn(t, c), exportOwn(t, a))

	// One at a time, and in the order of need: the same again.
	d, inD := library(t, nil)
	takeBlobs(t, d, a)
	for line := range strings.Lines(text) {
		imports(t, inD, "jsonl", intake.ImportOptions{}, line)
	}
	sameText(t, "by one", exportOwn(t, d), text)
}

// failing is an appender that ends an import after some calls.
type failing struct {
	*app.Library
	after int
}

func (f *failing) Append(ctx context.Context, entries [][]byte) (int64, error) {
	if f.after--; f.after < 0 {
		return 0, errors.New("the disk is full")
	}
	return f.Library.Append(ctx, entries)
}

// TestOwnFormStops: an import that ends between a record and what its other sources say
// goes on where it stopped.
func TestOwnFormStops(t *testing.T) {
	a, _ := manySources(t)
	text := exportOwn(t, a)
	var to failing
	b, in := library(t, nil)
	to.Library = b
	stopped := intake.New(intake.Config{Register: b, Bulk: bulkOf{&to}, Blobs: b.Blobs, Known: b.Catalog})
	takeBlobs(t, b, a)
	to.after = 1
	form, err := format.FindBulk("jsonl")
	if err != nil {
		t.Fatal(err)
	}
	files := func() []intake.ImportFile {
		return []intake.ImportFile{{Path: "x", Input: "x", Reader: strings.NewReader(text)}}
	}
	reported := 0
	if _, err := stopped.Import(t.Context(), form, files(), intake.ImportOptions{}, func(intake.Outcome) { reported++ }, nil); err == nil || reported != 0 {
		t.Fatal(err, reported)
	}
	if n := len(state(t, b, 1).Sources) + len(state(t, b, 2).Sources); n != 2 {
		t.Fatalf("%d sources: this is no test", n)
	}
	if _, sum := imports(t, in, "jsonl", intake.ImportOptions{}, text); sum.Revised != 6 || sum.Known != 1 {
		t.Errorf("%+v", sum)
	}
	sameText(t, "after a stop", exportOwn(t, b), text)
}

// bulkOf appends for imports by an appender.
type bulkOf struct{ intake.Appender }

func (b bulkOf) AppendWhole(ctx context.Context, entries [][]byte, _ []*record.Entry) (int64, error) {
	return b.Append(ctx, entries)
}

// TestOwnFormMeets: lines of several sources meet what a library has already.
func TestOwnFormMeets(t *testing.T) {
	const line = `{"record":{"title":"T","ids":[{"scheme":"oclc","value":"1"}],"place":"Of b","publisher":"Here"},"source":{"name":"a","id":"1"},"said":{"title":"T","ids":[{"scheme":"oclc","value":"1"}]},"others":[` +
		`{"source":{"name":"b","id":"1"},"says":{"place":"Of b","title":"T"}},{"source":{"name":"librarian","id":"me"},"says":{"publisher":"Here"}}]}`
	single := func(name, id, rest string) string {
		return `{"record":{"title":"T"` + rest + `},"source":{"name":"` + name + `","id":"` + id + `"}}`
	}
	const oclc = `,"ids":[{"scheme":"oclc","value":"1"}]`
	check := func(l *app.Library, n int64, sources ...string) {
		t.Helper()
		var got []string
		for _, s := range state(t, l, n).Sources {
			got = append(got, s.Name+":"+s.ID)
		}
		if !slices.Equal(got, sources) {
			t.Errorf("record %d has the sources %v, not %v", n, got, sources)
		}
	}
	none := intake.ImportOptions{}

	// The first source is new; the other has the record that it joins.
	l, in := library(t, nil)
	imports(t, in, "jsonl", none, single("b", "1", oclc))
	outs, _ := imports(t, in, "jsonl", none, line)
	expect(t, outs, "f1:1 joined 1")
	check(l, 1, "b:1", "a:1", "librarian:me")

	// Another record has what the other source says: that is not said twice.
	l, in = library(t, nil)
	imports(t, in, "jsonl", none, single("b", "1", ""))
	outs, _ = imports(t, in, "jsonl", none, line)
	expect(t, outs, "f1:1 added 2")
	check(l, 2, "a:1", "librarian:me")
	if w := outs[0].Warnings; len(w) != 1 || w[0] != "what b says of it is in record 1 already" {
		t.Error(w)
	}

	// The same within one file, before and after.
	l, in = library(t, nil)
	outs, _ = imports(t, in, "jsonl", none, single("b", "1", "")+"\n"+line+"\n"+single("b", "1", ""))
	expect(t, outs, "f1:1 added 1; f1:2 added 2; f1:3 known 1")
	check(l, 2, "a:1", "librarian:me")
	_, in = library(t, nil)
	outs, _ = imports(t, in, "jsonl", none, line+"\n"+single("b", "1", oclc)+"\n"+single("b", "2", oclc)+"\n"+single("c", "1", oclc))
	if len(outs) != 4 || outs[1].Record != 1 || outs[2].Record == 1 || outs[3].Status != intake.Added {
		t.Error(said(outs)) // c's has two records to choose from by then
	}

	// A library's own corrections stay.
	l, in = library(t, nil)
	imports(t, in, "jsonl", none, line)
	n := int64(1)
	appendEntry(t, l, record.Entry{Type: record.TypeRevision, Of: &n, Patch: []byte(`{"publisher":"There"}`), Source: &record.Source{Name: record.Librarian, ID: "you"}})
	outs, _ = imports(t, in, "jsonl", none, line)
	if r := state(t, l, 1).Record; r.Publisher != "There" || outs[0].Status != intake.AlreadyHere || len(outs[0].Warnings) != 1 {
		t.Errorf("%+v %+v", r, outs)
	}

	// With --source all of it is what that one says, and the digest is of all of it.
	l, in = library(t, nil)
	digested := strings.Replace(line, `"id":"1"}`, `"id":"1","digest":"`+strings.Repeat("b", 64)+`"}`, 1)
	imports(t, in, "jsonl", from("union"), digested)
	check(l, 1, "union:1")
	outs, _ = imports(t, in, "jsonl", from("union"), strings.NewReplacer("Of b", "Of c").Replace(digested))
	if r := state(t, l, 1).Record; r.Place != "Of c" || r.Publisher != "Here" || outs[0].Status != intake.Revised {
		t.Errorf("%+v", r)
	}

	// What does not fit together is refused.
	l, in = library(t, nil)
	for from, to := range map[string]string{
		`"place":"Of b","publisher":"Here"`:  `"place":"Of d","publisher":"Here"`,
		`"said":{"title":"T",`:               `"said":{`,
		`"name":"b"`:                         `"name":"a"`,
		`"name":"b","id":"1"`:                `"id":"1"`,
		`"says":{"publisher":"Here"}`:        `"says":["publisher"]`,
		`"says":{"publisher":"Here"`:         `"says":{"publisher":"Here","nonsense":1`,
		`"source":{"name":"a","id":"1"},`:    ``,
		`"source":{"name":"librarian","id"`:  `"source":{"name":"librarian","digest":"x","id"`,
		`"source":{"name":"b","id":"1"}`:     `"source":{"name":"b","id":"1","extra":{"x":1}}`,
		`"source":{"name":"a","id":"1"},"sa`: `"source":{"name":"librarian","id":"1"},"sa`,
	} {
		bad := strings.Replace(line, from, to, 1)
		if bad == line {
			t.Fatal(from)
		}
		outs, sum := imports(t, in, "jsonl", none, bad)
		if sum.Refused != 1 || !errs.Is(outs[0].Err, errs.Refused) || !json.Valid([]byte(bad)) {
			t.Errorf("%s: %+v", to, outs)
		}
	}
	if l.Register.Size() != 1 {
		t.Error("something was taken in")
	}
}
