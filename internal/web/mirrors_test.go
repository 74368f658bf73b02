package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wenlan/internal/browsertest"
	"wenlan/internal/copies"
	"wenlan/internal/record"

	"github.com/chromedp/chromedp"
)

// held is a source of everything that can be said of copies, with hostile words.
func held(trust copies.Trust) copies.Source {
	key := "mirror.example+0123abcd+" + strings.Repeat("A", 43)
	return copies.Source{
		Trust: func(context.Context) copies.Trust { return trust },
		Mirrors: func(context.Context) (copies.Mirrors, error) {
			return copies.Mirrors{
				List: []copies.Mirror{
					{URL: "https://mirror.example", Key: key, Witness: key + "W", All: true, Size: 12345, Shelves: 7, Heard: now.Add(-time.Hour), Audited: now.Add(-48 * time.Hour), Passed: true},
					{URL: "https://a-very-long-name-that-somebody-chose-for-a-mirror.of-some-library.example.org/library", Key: key, Size: 1, Shelves: 1, Heard: now, Audited: now, Note: "It did not have 3 of 16 ranges."},
					{URL: "javascript:alert(1)", Key: key, Size: 5},
				},
				Shelves: []copies.Held{{Copies: 0, N: 2}, {Copies: 1, N: 5}, {Copies: 3, N: 1200}, {Copies: 9, N: 4}, {Copies: 12, N: 1}, {Copies: -1, N: 9}, {Copies: 2, N: 0}},
				Records: []copies.Held{{Copies: 2, N: 345678}},
			}, nil
		},
		Shelves: func(_ context.Context, before int64, limit int) (copies.Shelves, error) {
			all := copies.Shelves{Total: 120, Files: 33480, Bytes: 120e9}
			for n := int64(120); n > 0 && len(all.List) < limit; n-- {
				if before > 0 && n >= before {
					continue
				}
				s := copies.Shelf{Number: n, Entry: 10 * n, Body: strings.Repeat("ab", 32), Infohash: fmt.Sprintf("%040x", n), Time: now, Files: 279, Bytes: 1e9, State: copies.Seeded, Copies: copies.Count{Announced: 3, Verified: 2}}
				switch n {
				case 119:
					s.State = copies.Stopped
				case 118:
					s.State, s.ReplacedBy = copies.Replaced, 120
				case 117:
					s.Infohash = `"><script>`
				}
				all.List = append(all.List, s)
			}
			return all, nil
		},
		Of: func(_ context.Context, n int64) (copies.Count, bool, error) {
			return copies.Count{Announced: 4, Verified: 3}, true, nil
		},
		Denied: func(context.Context) ([]copies.Refusal, error) {
			return []copies.Refusal{{Record: 1, Reason: "the law <here>"}, {SHA256: strings.Repeat("0f", 32), Reason: "法院禁令"}}, nil
		},
	}
}

var behind = copies.Trust{
	Mirror: true, Origin: "https://origin.example", Size: 12000, Target: 12345, Heard: now.Add(-90 * time.Minute), Freshness: copies.Current, Witnessed: now.Add(-2 * time.Hour),
	Safe: 11000, Quorum: 2, Partial: true, Selection: "lang:zh kind:book", Files: 10, Wanted: 4321,
}

func TestTrustOnEveryPage(t *testing.T) {
	at := now.Add(-100 * time.Hour)
	for _, c := range []struct {
		name    string
		trust   copies.Trust
		foot    []string
		warning string
	}{
		{"nothing known", copies.Trust{}, []string{"Mirrors and shelves"}, ""},
		{"origin", copies.Trust{Size: 10, Freshness: copies.Unwitnessed}, []string{"not confirmed by witnesses"}, ""},
		{"late", copies.Trust{Freshness: copies.Late, Witnessed: now.Add(-30 * time.Hour)}, []string{"more than a day ago", "21 November 2026, 02:00 UTC"}, ""},
		{"mirror", behind, []string{"Mirror of https://origin.example", "12,000 of 12,345 entries", "last heard from the origin on 22 November 2026, 06:30 UTC", "a part of the files", "confirmed by its witnesses on"}, ""},
		{"deaf", copies.Trust{Mirror: true, Origin: "nowhere", Size: 1}, []string{"Mirror of nowhere", "one entry", "nothing heard"}, ""},
		{"stale", copies.Trust{Freshness: copies.Stale, Witnessed: at}, []string{"for more than three days"}, "silent for more than three days. There may be newer books"},
		{"fork", copies.Trust{Mirror: true, Alarm: copies.Alarm{Kind: copies.Fork, Message: "Size 5 has <two> roots.", Since: at}}, nil, "Two registers have been signed in this library’s name. What you see here is from before they parted. Nothing newer is taken over until the library’s trustees have said which one goes on. Since 18 November 2026, 04:00 UTC. What is known Size 5 has <two> roots."},
		{"forked", copies.Trust{Alarm: copies.Alarm{Kind: copies.Fork}}, nil, "One of them is shown here"},
		{"restored", copies.Trust{Alarm: copies.Alarm{Kind: copies.Rollback}}, nil, "restored from an old backup"},
		{"rollback", copies.Trust{Mirror: true, Alarm: copies.Alarm{Kind: copies.Rollback}, Freshness: copies.Stale}, nil, "less than it had signed"},
		{"superseded", copies.Trust{Alarm: copies.Alarm{Kind: copies.Superseded}}, nil, "This library has moved"},
		{"unheard of", copies.Trust{Alarm: copies.Alarm{Kind: "flood"}}, nil, "stopped following"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLibrary(t, func(cfg *Config) {
				cfg.Copies = copies.Source{Trust: func(context.Context) copies.Trust { return c.trust }}
			})
			for _, path := range []string{"/", "/about", "/mirrors", "/shelves", "/nowhere"} {
				status := 200
				if path == "/nowhere" {
					status = 404
				}
				root := l.page(path, status)
				holds(t, text(one(t, root, "footer .standing")), c.foot...)
				if c.warning == "" {
					none(t, root, ".warning")
				} else {
					holds(t, text(one(t, root, "aside.warning")), c.warning)
				}
			}
		})
	}
}

// TestTrustIsNotKept: a page that was drawn is drawn anew when what is said of
// the copy has changed, and not for the seconds between.
func TestTrustIsNotKept(t *testing.T) {
	var trust atomic.Value
	trust.Store(behind)
	l := newLibrary(t, func(c *Config) {
		c.Copies.Trust = func(context.Context) copies.Trust { return trust.Load().(copies.Trust) }
	})
	r := httptest.NewRequest("GET", "/", nil)
	first := l.site.moment(r.Context())
	next := behind
	next.Heard = next.Heard.Add(time.Second).In(time.FixedZone("", 3600))
	trust.Store(next)
	if l.site.moment(r.Context()) != first {
		t.Error("a second makes another page")
	}
	holds(t, text(one(t, l.page("/", 200), "footer .standing")), "12,000 of 12,345")
	next.Size = 12345
	trust.Store(next)
	holds(t, text(one(t, l.page("/", 200), "footer .standing")), "12,345 entries")
	next.Alarm.Kind = copies.Fork
	trust.Store(next)
	one(t, l.page("/", 200), ".warning")
}

func TestMirrorsPage(t *testing.T) {
	l := newLibrary(t, func(c *Config) { c.Copies = held(behind) })
	l.add(record.Record{Title: "One"}, openRights(), l.epub("one"))
	root := l.page("/mirrors", 200)
	if got := text(one(t, root, ".command")); got != "wenlan mirror https://library.example#"+strings.Repeat("ab", 32) {
		t.Errorf("command %q", got)
	}
	holds(t, text(one(t, root, "dl.facts")), "https://origin.example", "12,000 of 12,345", "10 of 4321 files", "lang:zh kind:book", "11,000 entries are held by the witnesses", "1000 are not yet")
	keepers := all(t, root, ".keepers > li")
	if len(keepers) != 3 {
		t.Fatalf("%d mirrors", len(keepers))
	}
	holds(t, text(keepers[0]), "holds everything, 12,345 entries", "passed the audit of 20 November 2026")
	holds(t, text(keepers[0]), "As a witness mirror.example+0123abcd+"+strings.Repeat("A", 43)+"W")
	one(t, keepers[0], ".sound")
	holds(t, text(keepers[1]), "holds a part: one entry, one shelf", "did not show", "3 of 16 ranges")
	one(t, keepers[1], ".unsound")
	holds(t, text(keepers[2]), "javascript:alert(1)", "not asked yet")
	none(t, keepers[2], "a")
	rows := all(t, root, "section[aria-labelledby=held-shelves] li")
	var said []string
	for _, row := range rows {
		said = append(said, text(row)+"; "+strconv.Itoa(len(all(t, row, ".held"))))
		if w, err := strconv.Atoi(attr(one(t, row, "rect"), "width")); err != nil || w < 1 || w > barWidth {
			t.Errorf("a bar is %d wide", w)
		}
	}
	if got := strings.Join(said, " | "); got != "no verified copy 2 shelves; 0 | one copy 5 shelves; 1 | 3 copies 1200 shelves; 3 | 7 copies or more 5 shelves; 7" {
		t.Errorf("rows %s", got)
	}
	holds(t, text(one(t, root, "section[aria-labelledby=held-records]")), "2 copies 345,678 works")
	holds(t, text(one(t, root, ".refused")), "No. 1 the law <here>", "法院禁令")
	holds(t, text(one(t, root, "main")), "not show that they are stored apart", "one operator count as one copy")

	bare := newLibrary(t).page("/mirrors", 200)
	holds(t, text(one(t, bare, "main")), "Nobody has announced a mirror yet", "Nothing has been counted yet")
	none(t, bare, ".refused")
}

func TestShelvesPage(t *testing.T) {
	l := newLibrary(t, func(c *Config) { c.Copies = held(copies.Trust{}) })
	root := l.page("/shelves", 200)
	holds(t, text(one(t, root, ".counts")), "120 shelves", "33,480 files", "120 GB")
	first := one(t, root, "#shelf-120")
	magnet := attr(one(t, first, "a.button:not(.second)"), "href")
	if want := "magnet:?xt=urn:btih:" + fmt.Sprintf("%040x", 120) + "&dn=wenlan-" + strings.Repeat("ab", 32) +
		"&xl=1000000000&tr=https%3A%2F%2Flibrary.example%2Ftracker%2Fannounce&ws=https%3A%2F%2Flibrary.example%2Fshelves%2Fseed%2F"; magnet != want {
		t.Errorf("magnet link %s", magnet)
	}
	if got := attr(one(t, first, "a.second"), "href"); got != "/shelves/"+fmt.Sprintf("%040x", 120)+".torrent" {
		t.Errorf("torrent at %s", got)
	}
	holds(t, text(first), "Shelf 120", "279 files", "2 verified copies, one more announced", "Entry 1200")
	holds(t, text(one(t, root, "#shelf-119")), "Stopped.", "Copies that strangers have made remain where they are")
	holds(t, text(one(t, root, "#shelf-118")), "Replaced.", "remain where they are", "See shelf 120.")
	for _, id := range []string{"#shelf-119", "#shelf-118", "#shelf-117"} {
		none(t, root, id+" a")
	}
	one(t, root, `head link[type="application/atom+xml"][href="/shelves.atom"]`)
	seen := 0
	path := "/shelves"
	for path != "" {
		root := l.page(path, 200)
		seen += len(all(t, root, ".batches > li"))
		path = ""
		for _, n := range all(t, root, ".pages a[rel=next]") {
			path = attr(n, "href")
		}
	}
	if seen != 120 {
		t.Errorf("%d shelves on all pages", seen)
	}
	l.page("/shelves?before=x", 400)
	l.page("/shelves?before=-1", 400)
	holds(t, text(one(t, newLibrary(t).page("/shelves", 200), "main")), "There are no shelves yet")
}

func TestCopiesOfARecord(t *testing.T) {
	count, ok := copies.Count{}, true
	l := newLibrary(t, func(c *Config) {
		c.Copies.Of = func(context.Context, int64) (copies.Count, bool, error) { return count, ok, nil }
	})
	n := l.add(record.Record{Title: "One"}, openRights(), l.epub("one"))
	for _, c := range []struct {
		count      copies.Count
		says       string
		held, said int
	}{
		{copies.Count{}, "no verified copy", 0, 0},
		{copies.Count{Announced: 1, Verified: 1}, "One verified copy", 1, 0},
		{copies.Count{Announced: 2}, "2 copies are announced and not yet verified", 0, 2},
		{copies.Count{Announced: 12, Verified: 9}, "9 verified copies, 3 more announced", 7, 0},
		{copies.Count{Announced: 1, Verified: 5}, "One verified copy", 1, 0},
		{copies.Count{Announced: -4, Verified: -1}, "no verified copy", 0, 0},
	} {
		count = c.count
		l.site.pages = kept{}
		box := one(t, l.page(recordPath(n), 200), "section[aria-labelledby=copies]")
		holds(t, text(box), c.says)
		if held, said := len(all(t, box, ".held")), len(all(t, box, ".said")); held != c.held || said != c.said {
			t.Errorf("%+v: %d and %d pavilions", c.count, held, said)
		}
	}
	ok = false
	l.site.pages = kept{}
	none(t, l.page(recordPath(n), 200), "section[aria-labelledby=copies]")
}

// TestCopiesFail: what cannot be counted is an error, not an empty list.
func TestCopiesFail(t *testing.T) {
	broken := errors.New("no list")
	l := newLibrary(t, func(c *Config) {
		c.Copies.Mirrors = func(context.Context) (copies.Mirrors, error) { return copies.Mirrors{}, broken }
		c.Copies.Shelves = func(context.Context, int64, int) (copies.Shelves, error) { return copies.Shelves{}, broken }
	})
	for _, path := range []string{"/mirrors", "/shelves"} {
		res := l.get("GET", path)
		if body, _ := io.ReadAll(res.Body); res.StatusCode != 500 || strings.Contains(string(body), "no list") {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

// TestCopiesInBrowser looks at the pages of copies as [TestInBrowser] does.
func TestCopiesInBrowser(t *testing.T) {
	trust := behind
	trust.Alarm = copies.Alarm{Kind: copies.Fork, Message: "At size 12,000 the origin's key has signed the roots 3q2+7w== and vu8AAA==.", Since: now}
	l := newLibrary(t, func(c *Config) { c.URL, c.Copies = "", held(trust) })
	n := l.add(manuscript(), openRights(), l.epub("pride"), l.store("cover.png", "image/png", record.RoleCover, picture(t)))
	srv := httptest.NewServer(l.mux)
	defer srv.Close()
	for _, c := range []struct {
		name    string
		options browsertest.Options
	}{
		{"desk-en-light", browsertest.Options{Language: "en"}},
		{"desk-zh-dark", browsertest.Options{Language: "zh-CN", Dark: true}},
		{"phone-en-dark", browsertest.Options{Language: "en", Dark: true, Phone: true}},
		{"phone-zh-light", browsertest.Options{Language: "zh-CN", Phone: true}},
		{"narrow-en-light", browsertest.Options{Language: "en", Width: 320, Height: 640}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, _ := browsertest.Open(t, c.options)
			seen := browsertest.Watch(t, ctx)
			for _, path := range []string{"/", "/mirrors", "/shelves", recordPath(n)} {
				browsertest.Do(t, ctx, chromedp.Navigate(srv.URL+path))
				if wide := browsertest.Eval[int](t, ctx, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
					t.Errorf("%s is %d pixels too wide", path, wide)
				}
				browsertest.Shot(t, ctx, "copies-"+c.name+strings.ReplaceAll(path, "/", "-"))
				browsertest.Axe(t, ctx)
			}
			if foreign := seen.Foreign(srv.URL); len(foreign) > 0 {
				t.Errorf("asked elsewhere: %v", foreign)
			}
			for _, line := range seen.Console() {
				t.Errorf("the browser says: %s", line)
			}
		})
	}
}

// TestRefusedHere: what the keeper of a mirror refuses is nowhere said to be withdrawn.
func TestRefusedHere(t *testing.T) {
	l := newLibrary(t)
	p := l.site.newPage(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	d := record.Decision{Reason: record.ReasonWithdrawn, Withdrawal: &record.Withdrawal{Ground: "the law here", Keeper: true}}
	holds(t, p.reason(d), "keeper of this mirror", "has not withdrawn")
	holds(t, p.status(&holding{}, d), "Not offered here")
	holds(t, p.tombstone(d, 7).Heading, "Refused by the keeper")
	d.Withdrawal.Keeper = false
	holds(t, p.reason(d), "was withdrawn")
	holds(t, p.status(&holding{}, d), "Withdrawn")
}

// TestProofIsLinked: where the origin contradicts itself, the page of mirrors leads to the proof.
func TestProofIsLinked(t *testing.T) {
	l := newLibrary(t)
	p := l.site.newPage(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	for kind, want := range map[copies.AlarmKind]string{copies.Fork: "Proof", copies.Rollback: "Proof", copies.Superseded: "Mirror of"} {
		if got := p.here(copies.Trust{Mirror: true, Origin: "https://a.example", Alarm: copies.Alarm{Kind: kind}})[0].Name; got != want {
			t.Errorf("%s: %s", kind, got)
		}
	}
}
