package cli_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/index"
	"wenlan/internal/record"
)

// killRecords writes count records of two sources, some groups' worth. Every tenth
// of the second is an edition that the first has as well; every fortieth has its
// number and another title.
func killRecords(t *testing.T, count int) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		var b bytes.Buffer
		for i := range count / 2 {
			title := fmt.Sprintf("The %s book, number %d", name, i)
			isbn := ""
			if i%10 == 0 {
				isbn = isbn13(i)
				if i%40 != 0 {
					title = fmt.Sprintf("The shared book, number %d", i)
				}
			}
			fmt.Fprintf(&b, "{\"id\":\"%s:%d\",\"type\":\"book\",\"title\":\"%s\",\"authors\":[\"Author %d\"],\"isbn\":\"%s\",\"year\":%d,\"abstract\":%q}\n",
				name, i, title, i%700, isbn, 1500+i%500, strings.Repeat(fmt.Sprintf("word%d ", i%97), 20))
		}
		file := filepath.Join(dir, name+".jsonl")
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// isbn13 is the ISBN of a number below a thousand million.
func isbn13(n int) string {
	s := fmt.Sprintf("978%09d", n)
	sum := 0
	for i, c := range s {
		sum += int(c-'0') * (1 + i%2*2)
	}
	return s + fmt.Sprint((10-sum%10)%10)
}

type importLine struct {
	addLine
	Duplicates []int64 `json:"duplicates"`
	Error      string  `json:"error"`
}

// known is what the same command again says of an outcome.
func known(l importLine) importLine {
	l.Status, l.Duplicates = "known", nil
	return l
}

// sameReports says whether the reports are the first of those wanted, or say of
// records that they are known.
func sameReports(t *testing.T, got, want []importLine) {
	t.Helper()
	for i, l := range got {
		if !reflect.DeepEqual(l, want[i]) && !reflect.DeepEqual(l, known(want[i])) {
			t.Fatalf("%+v, not %+v, is number %d", l, want[i], i)
		}
	}
}

// killed is an import that is killed, and what it makes where it is not.
type killed struct {
	t      *testing.T
	random *rand.Rand
	folder string
	count  int // of records
	args   []string
	want   []importLine  // its reports where nothing disturbs it,
	took   time.Duration // how long that takes,
	library
	libraries int
}

// library is what an import made: of each record a digest of all that is known of it
// but for the times, by number.
type library struct {
	program program
	entries int64
	records map[int64][sha256.Size]byte
	counts  any
	found   map[string]int // records by queries
}

// plainState is a state without times.
func plainState(st *record.State) record.State {
	plain := *st
	plain.Time, plain.History = time.Time{}, slices.Clone(st.History)
	for i := range plain.History {
		plain.History[i].Time = time.Time{}
	}
	return plain
}

// readLibrary folds every record of a library, and asks its views.
func readLibrary(t *testing.T, p program) library {
	t.Helper()
	l, err := app.Open(t.Context(), app.Config{Data: p.data}, app.ReadOnly, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lib := library{program: p, entries: l.Register.Size(), records: map[int64][sha256.Size]byte{}, found: map[string]int{}}
	err = l.Catalog.Each(t.Context(), nil, func(n int64, st *record.State, err error) error {
		if err != nil {
			return err
		}
		raw, err := json.Marshal(plainState(st))
		lib.records[n] = sha256.Sum256(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if lib.counts, err = l.Catalog.Counts(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"book", "shared", "word13", "title:number year:1600..1650", "isbn:" + isbn13(40)} {
		lib.found[query] = 0
		if err := l.Index.Each(t.Context(), index.Query{Text: query}, func(int64) { lib.found[query]++ }); err != nil {
			t.Fatal(err)
		}
	}
	return lib
}

// state is a record of a library for people to compare.
func (lib library) state(t *testing.T, n int64) string {
	l, err := app.Open(t.Context(), app.Config{Data: lib.program.data}, app.ReadOnly, nil)
	if err != nil {
		return err.Error()
	}
	defer l.Close()
	st, err := l.Catalog.Record(t.Context(), n)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v", plainState(st))
}

// sameLibrary compares two libraries record by record: description, sources, files,
// rights and history of each; then what their views count and find.
func sameLibrary(t *testing.T, got, want library) {
	t.Helper()
	if got.entries != want.entries || len(got.records) != len(want.records) {
		t.Fatalf("%d records in %d entries, not %d in %d", len(got.records), got.entries, len(want.records), want.entries)
	}
	for n, sum := range want.records {
		if got.records[n] != sum {
			t.Fatalf("record %d:\n%s\n%s", n, got.state(t, n), want.state(t, n))
		}
	}
	if !reflect.DeepEqual(got.counts, want.counts) || !reflect.DeepEqual(got.found, want.found) {
		t.Fatalf("%+v %v\n%+v %v", got.counts, got.found, want.counts, want.found)
	}
}

// setting is a number that the environment may set.
func setting(t *testing.T, name string, n int) int {
	t.Helper()
	if s := os.Getenv(name); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(name, err)
		}
	}
	return n
}

// reports are the lines of an import but for the last, which counts them.
func reports(t *testing.T, out []byte) []importLine {
	t.Helper()
	return slices.DeleteFunc(lines[importLine](t, out), func(l importLine) bool { return l.Input == "" })
}

// newKilled runs an import undisturbed.
func newKilled(t *testing.T, count int) *killed {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k := &killed{t: t, random: rand.New(rand.NewPCG(seed, 0)), folder: t.TempDir(), count: count,
		args: append([]string{"import", "--json", "--quiet", "simple"}, killRecords(t, count)...)}
	p := k.fresh()
	start := time.Now()
	k.want = reports(t, p.run(k.args...))
	k.took = time.Since(start)
	joined := 0
	for _, l := range k.want {
		if l.Status == "joined" {
			joined++
		} else if l.Status != "added" {
			t.Fatalf("%+v", l)
		}
	}
	if len(k.want) != count || joined != (count/2+9)/10-(count/2+39)/40 {
		t.Fatalf("%d reports of %d records, %d joined", len(k.want), count, joined)
	}
	p.run("verify")
	k.library = readLibrary(t, p)
	if len(k.records) != count-joined || k.found["shared"] != joined {
		t.Fatalf("%d records, %v found", len(k.records), k.found)
	}
	return k
}

// fresh is a new library.
func (k *killed) fresh() program {
	k.libraries++
	p := program{k.t, filepath.Join(k.folder, fmt.Sprint(k.libraries))}
	p.run("init")
	return p
}

// kill begins the import and kills it at a random moment before limit. Nothing that it
// reported is lost, and the library is sound. It gives how many records it reported;
// dead is false where it was done before.
func (k *killed) kill(p program, limit time.Duration) (said int, dead bool) {
	k.t.Helper()
	cmd := p.command(k.args...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	timer := time.AfterFunc(time.Duration(k.random.Int64N(int64(limit))), func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	if err != nil && cmd.ProcessState.ExitCode() != -1 {
		k.t.Fatalf("%v\n%s", err, &stderr)
	}
	all := reports(k.t, out.Bytes())
	sameReports(k.t, all, k.want)
	p.run("verify")
	if n := len(all); n > 0 {
		if last := lines[addLine](k.t, p.run("show", "--json", fmt.Sprint(all[n-1].Record))); len(last) != 1 {
			k.t.Fatalf("record %d was reported, and is not there", all[n-1].Record)
		}
	}
	return len(all), err != nil
}

// whole runs the import to its end and compares the library that it leaves with the one
// that was never disturbed.
func (k *killed) whole(p program) {
	k.t.Helper()
	all := reports(k.t, p.run(k.args...))
	if len(all) != k.count {
		k.t.Fatalf("%d reports of %d records", len(all), k.count)
	}
	sameReports(k.t, all, k.want)
	p.run("verify")
	sameLibrary(k.t, readLibrary(k.t, p), k.library)
	if err := os.RemoveAll(p.data); err != nil {
		k.t.Fatal(err)
	}
}

// TestImportKill kills `wenlan import` once in each of some libraries, at a random
// moment; the same command again then makes the library that one undisturbed run makes,
// record by record. WENLAN_KILLS and WENLAN_KILL_RECORDS set how many kills, of an
// import of how many records.
func TestImportKill(t *testing.T) {
	kills := 4
	if testing.Short() {
		kills = 1
	}
	kills = setting(t, "WENLAN_KILLS", kills)
	k := newKilled(t, setting(t, "WENLAN_KILL_RECORDS", 10_000))
	t.Logf("an undisturbed run of %d records takes %v", k.count, k.took)
	limit := k.took
	for done := 0; done < kills; {
		p := k.fresh()
		said, dead := k.kill(p, limit)
		k.whole(p)
		if dead {
			done++
			limit = k.took
			t.Logf("kill %d of %d: %d of %d records were reported; the same library", done, kills, said, k.count)
		} else { // the machine has become quicker
			limit = max(limit*3/4, time.Millisecond)
		}
	}
}

// TestImportKills kills `wenlan import` several times in one library.
func TestImportKills(t *testing.T) {
	kills := 3
	if testing.Short() {
		kills = 2
	}
	k := newKilled(t, 10_000)
	p := k.fresh()
	limit := k.took
	for done := 0; done < kills; {
		if said, dead := k.kill(p, limit); dead {
			done++
			t.Logf("kill %d: %d records were reported", done, said)
		} else { // what is known already goes quickly
			limit = max(limit/2, time.Millisecond)
		}
	}
	k.whole(p)
}
