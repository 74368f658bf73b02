package cli_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	livePages = 30
	liveSize  = 20 // records on a page
)

// liveServer is a catalogue of thirty pages, as OAI-PMH at /oai and as OPDS, with files,
// at /opds. It takes its time. begun counts the lists that were asked for from their start.
func liveServer(t *testing.T) (address string, begun *atomic.Int64) {
	t.Helper()
	begun = new(atomic.Int64)
	mux := http.NewServeMux()
	mux.HandleFunc("/oai", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		fmt.Fprint(w, `<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2024-05-06T07:08:09Z</responseDate>`)
		defer fmt.Fprint(w, "</OAI-PMH>")
		if q.Get("verb") == "Identify" {
			fmt.Fprint(w, "<Identify><granularity>YYYY-MM-DDThh:mm:ssZ</granularity></Identify>")
			return
		}
		page, _ := strconv.Atoi(q.Get("resumptionToken"))
		if page == 0 {
			begun.Add(1)
		}
		dawdle(page)
		fmt.Fprint(w, "<ListRecords>")
		for i := page * liveSize; i < (page+1)*liveSize; i++ {
			fmt.Fprintf(w, `<record><header><identifier>oai:live:%d</identifier><datestamp>2024-01-01T%02d:%02d:00Z</datestamp></header><metadata><dc xmlns="http://purl.org/dc/elements/1.1/"><title>Live %d</title><creator>Doe, Ann</creator><date>19%02d</date></dc></metadata></record>`, i, i/60, i%60, i, i%100)
		}
		if page+1 < livePages {
			fmt.Fprintf(w, "<resumptionToken>%d</resumptionToken>", page+1)
		}
		fmt.Fprint(w, "</ListRecords>")
	})
	mux.HandleFunc("/opds", func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if page == 0 {
			begun.Add(1)
		}
		dawdle(page)
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, page))
		fmt.Fprint(w, `<feed xmlns="http://www.w3.org/2005/Atom"><id>live</id><title>Live</title>`)
		for i := page * liveSize; i < (page+1)*liveSize; i++ {
			fmt.Fprintf(w, `<entry><id>live:%d</id><title>Live %d</title><updated>2024-01-01T00:00:00Z</updated><link rel="http://opds-spec.org/acquisition" href="/%d.epub"/>`, i, i, i)
			if i%liveSize == 0 {
				fmt.Fprintf(w, `<link rel="http://opds-spec.org/acquisition/open-access" type="text/plain" href="/file/%d.txt"/><link rel="license" href="https://creativecommons.org/licenses/by/4.0/"/>`, i)
			}
			fmt.Fprint(w, "</entry>")
		}
		if page+1 < livePages {
			fmt.Fprintf(w, `<link rel="next" href="/opds?page=%d"/>`, page+1)
		}
		fmt.Fprint(w, "</feed>")
	})
	mux.HandleFunc("/file/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Repeat("The text of "+r.URL.Path+".\n", 10_000)))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL, begun
}

// dawdle is the time that a page takes; now and then so long that what has come is
// appended meanwhile.
func dawdle(page int) {
	time.Sleep(10 * time.Millisecond)
	if page%8 == 7 {
		time.Sleep(400 * time.Millisecond)
	}
}

// TestHarvestKill interrupts a harvest of a live server, and kills it when it goes on,
// each at a random moment: the next that ends leaves the library that one undisturbed
// harvest makes, record by record, and a further one changes nothing. WENLAN_KILLS sets
// how often.
func TestHarvestKill(t *testing.T) {
	kills := 2
	if testing.Short() {
		kills = 1
	}
	kills = setting(t, "WENLAN_KILLS", kills)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	address, begun := liveServer(t)
	for _, args := range [][]string{{"import", "--json", "oai", address + "/oai"}, {"import", "--json", "opds", address + "/opds", "--files"}} {
		t.Run(args[2], func(t *testing.T) {
			t.Logf("seed %d", seed)
			folder := t.TempDir()
			fresh := func(i int) program {
				p := program{t, filepath.Join(folder, fmt.Sprint(i))}
				p.run("init")
				return p
			}
			p := fresh(0)
			start := time.Now()
			if n := len(reports(t, p.run(args...))); n != livePages*liveSize {
				t.Fatal(n)
			}
			took := time.Since(start)
			want := readLibrary(t, p)
			if len(want.records) != livePages*liveSize {
				t.Fatalf("%d records in %d entries", len(want.records), want.entries)
			}
			stopped, partly := 0, 0
			begun.Store(0)
			for i := 1; i <= kills; i++ {
				p := fresh(i)
				for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
					cmd := p.command(args...)
					var out, stderr bytes.Buffer
					cmd.Stdout, cmd.Stderr = &out, &stderr
					if err := cmd.Start(); err != nil {
						t.Fatal(err)
					}
					timer := time.AfterFunc(time.Duration(random.Int64N(int64(took))), func() { _ = cmd.Process.Signal(signal) })
					err := cmd.Wait()
					timer.Stop()
					if strings.Contains(stderr.String(), "panic") {
						t.Fatal(stderr.String())
					}
					if n := len(reports(t, out.Bytes())); err != nil {
						if stopped++; n > 0 && n < livePages*liveSize {
							partly++
						}
					}
					p.run("verify")
				}
				p.run(args...)
				p.run("verify")
				sameLibrary(t, readLibrary(t, p), want)
				p.run(args...)
				sameLibrary(t, readLibrary(t, p), want)
				if left, err := filepath.Glob(filepath.Join(p.data, "harvest", "partial", "*")); err != nil || len(left) > 0 {
					t.Error(left, err)
				}
			}
			t.Logf("a whole harvest takes %v; %d of %d stopped, %d of them with some records reported; %d lists begun", took, stopped, 2*kills, partly, begun.Load())
		})
	}
}
