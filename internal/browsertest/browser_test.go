package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The harness must see what it claims to see, or the tests that find nothing
// prove nothing.
func TestHarnessSeesWhatLeaves(t *testing.T) {
	t.Parallel()
	canary, silent := NewCanary(t), NewCanary(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>t</title>
			<link rel="preconnect" href="http://%[2]s">
			<link rel="dns-prefetch" href="http://prefetched.test">
			<main><h1>h</h1><img alt="" src="http://%[1]s/x.png"><script>console.log("said"); x.y</script></main>`,
			canary.Addr, silent.Addr)
	}))
	defer page.Close()
	log := filepath.Join(t.TempDir(), "net.json")
	ctx, stop := Open(t, Options{NetLog: log})
	rs := Watch(t, ctx)
	Do(t, ctx, chromedp.Navigate(page.URL), chromedp.Sleep(time.Second))
	if got := rs.Foreign(page.URL); !slices.Contains(got, "http://"+canary.Addr+"/x.png") {
		t.Errorf("the picture was not seen: %q", got)
	}
	if got := canary.Hits(); !slices.Contains(got, "GET /x.png HTTP/1.1") {
		t.Errorf("the canary saw %q", got)
	}
	if got := silent.Hits(); len(got) == 0 {
		t.Error("the preconnect was not seen")
	}
	if got := rs.Errors(); len(got) != 1 {
		t.Errorf("errors: %q", got)
	}
	if got := rs.Console(); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "said") }) {
		t.Errorf("console: %q", got)
	}
	Axe(t, ctx)
	stop()
	for _, name := range []string{"prefetched.test", canary.Addr, silent.Addr} {
		if len(Mentions(t, log, name)) == 0 {
			t.Errorf("%s is not in the network log", name)
		}
	}
}
