package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bt "wenlan/internal/browsertest"
	"wenlan/internal/intake"
	"wenlan/internal/testdata"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// serve runs a library on a free port until the test ends.
func serve(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	ctx, stop := context.WithCancel(context.Background())
	s, err := NewServer(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve ended with %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// take adds files through the owner of the folder, and returns the records.
func take(t *testing.T, cfg Config, basis string, files ...string) []int64 {
	t.Helper()
	var records []int64
	req := &AddRequest{Paths: files, Inputs: files, Options: intake.Options{Basis: basis, By: "a test"}}
	err := Do(t.Context(), cfg, Request{Add: req}, nil, func(e Event) {
		if e.Outcome != nil {
			if e.Outcome.Record == nil {
				t.Fatalf("%s: %s", e.Outcome.Input, e.Outcome.Error)
			}
			records = append(records, *e.Outcome.Record)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestMainJob does in a browser what a reader comes for, in both languages: comes
// to the first page, searches, opens a record, reads, turns a page, goes back and
// carries the book away. The books are taken in while the server runs.
func TestMainJob(t *testing.T) {
	books := filepath.Join(testdata.Dir(t), "books")
	red := filepath.Join(books, "zh", "紅樓夢.epub")
	pride := filepath.Join(books, "en", "jane-austen_pride-and-prejudice.epub")
	cfg := Config{Data: filepath.Join(t.TempDir(), "lib"), Name: "A Test Library"}
	s := serve(t, cfg)
	base := s.Address()
	bt.Chromium(t)
	if records := take(t, cfg, "public-domain", red, pride); len(records) != 2 {
		t.Fatalf("records %v", records)
	}
	for _, c := range []struct {
		name           string
		options        bt.Options
		lang           string
		query, title   string
		chapter, words string // a chapter, and words that stand in it
		file           string
		drawn          bool   // it has no cover of its own
		other          string // the language that the switch leads to
	}{
		// in simplified characters, for a book in traditional ones
		{"zh", bt.Options{Phone: true, Language: "zh-CN"}, "zh-Hans", "红楼", "紅樓夢", "第三回", "黛玉", red, true, "en"},
		{"en", bt.Options{Language: "en", Dark: true}, "en", "austen prejudice", "Pride and Prejudice", "V", "Sir William Lucas", pride, false, "zh-Hans"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, _ := bt.Open(t, c.options)
			seen := bt.Watch(t, ctx)
			shot := func(name string) {
				t.Helper()
				bt.Shot(t, ctx, "main-"+c.name+"-"+name)
				bt.Axe(t, ctx)
			}
			bt.Do(t, ctx, chromedp.Navigate(base+"/"))
			if got := bt.Eval[string](t, ctx, "document.documentElement.lang"); got != c.lang {
				t.Fatalf("the first page is in %q", got)
			}
			shot("home")
			bt.Do(t, ctx, chromedp.SendKeys("#q", c.query+"\r"))
			bt.Wait(t, ctx, "location.pathname === '/search' && document.querySelector('.hits h3 a')")
			shot("search")
			bt.Eval[int](t, ctx, "(document.querySelector('.hits h3 a').click(), 1)")
			bt.Wait(t, ctx, "location.pathname.startsWith('/records/') && document.querySelector('h1')")
			record := bt.Eval[string](t, ctx, "location.pathname")
			if got := bt.Eval[string](t, ctx, "document.querySelector('h1').textContent"); got != c.title {
				t.Fatalf("the record is %q", got)
			}
			bt.Wait(t, ctx, "document.querySelector('.cover').complete && document.querySelector('.cover').naturalWidth > 0")
			shot("record")

			if drawn := bt.Eval[int](t, ctx, "document.querySelector('.cover').naturalWidth") == 300; drawn != c.drawn {
				t.Errorf("the cover is drawn: %v", drawn)
			}

			// read
			bt.Eval[int](t, ctx, "(document.querySelector('a[href$=\"/read\"]').click(), 1)")
			bt.Wait(t, ctx, "document.body.dataset.ready === 'true'")
			bt.Do(t, ctx, chromedp.Click("#open-contents"))
			bt.Wait(t, ctx, "document.getElementById('contents').open")
			bt.Eval[int](t, ctx, fmt.Sprintf("([...document.querySelectorAll('#contents-list button')].find(b => b.textContent.split(/\\s/).includes(%q)).click(), 1)", c.chapter))
			const view = "document.querySelector('foliate-view')"
			bt.Wait(t, ctx, fmt.Sprintf("!document.getElementById('contents').open && %s.renderer.getContents().some(c => c.doc.body?.textContent.includes(%q))", view, c.words))
			place := "JSON.stringify([" + view + ".lastLocation.section.current, " + view + ".renderer.page])"
			before := bt.Eval[string](t, ctx, place)
			bt.Do(t, ctx, chromedp.Sleep(300*time.Millisecond), chromedp.KeyEvent(kb.ArrowRight))
			bt.Wait(t, ctx, place+" !== '"+before+"'")
			shot("read")

			// carry away
			folder := t.TempDir()
			bt.Do(t, ctx, chromedp.Navigate(base+record))
			bt.Do(t, ctx, bt.Call(browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: folder}))
			bt.Eval[int](t, ctx, "(document.querySelector('a.button[href*=\"/files/\"]').click(), 1)")
			want, err := os.ReadFile(c.file)
			if err != nil {
				t.Fatal(err)
			}
			got := downloaded(t, folder)
			if !bytes.Equal(got, want) {
				t.Errorf("the download has %d bytes, and is not the file of %d bytes that was taken in", len(got), len(want))
			}

			// and the other language, which stays
			bt.Eval[int](t, ctx, fmt.Sprintf("(document.querySelector('.tongues a[lang=%q]').click(), 1)", c.other))
			bt.Wait(t, ctx, "document.documentElement.lang === '"+c.other+"'")
			bt.Do(t, ctx, chromedp.Navigate(base+"/"))
			if got := bt.Eval[string](t, ctx, "document.documentElement.lang"); got != c.other {
				t.Errorf("the language is forgotten: %q", got)
			}

			if foreign := seen.Foreign(base); len(foreign) > 0 {
				t.Errorf("asked elsewhere: %v", foreign)
			}
			if thrown := seen.Errors(); len(thrown) > 0 {
				t.Errorf("errors in the page: %v", thrown)
			}
		})
	}
}

// downloaded waits for the one file that a browser saves in a folder.
func downloaded(t *testing.T, folder string) []byte {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		names, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 1 && !strings.HasSuffix(names[0], ".crdownload") {
			data, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatal("nothing was downloaded")
	return nil
}
