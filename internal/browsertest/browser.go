// Package browsertest runs a real browser for tests: headless Chromium with a
// fresh profile, driven over the DevTools protocol and watched on every side.
//
// [Open] starts a browser, [Watch] records every request that a page makes,
// [Axe] looks for what keeps people out, [Shot] keeps a picture for people to
// look at. [Canary] is a server on the loopback that counts whoever comes, and with
// [Options.NetLog] the browser writes down every name that it even asked for.
//
// Without Chromium a test is skipped with a message; with CI=true it fails.
package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Options say what kind of browser a test wants. The zero value is a desktop
// window of 1280 by 800 in English, by day.
type Options struct {
	Width, Height int
	Phone         bool   // 390 by 844, touch, two device pixels a pixel
	Language      string // Accept-Language; "en" when empty
	Dark          bool   // prefers-color-scheme: dark
	NetLog        string // file into which the browser logs all of its network work
	Timeout       time.Duration
}

// Chromium is the path of the browser. Where there is none the test is skipped,
// or fails when CI=true.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("WENLAN_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "no Chromium on this machine (set WENLAN_CHROMIUM to its path)")
	return ""
}

func missing(t testing.TB, message string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// Open starts a browser with one empty tab. The context drives the tab through
// chromedp; the browser ends with the test, or with the context's cancel.
func Open(t testing.TB, o Options) (context.Context, context.CancelFunc) {
	t.Helper()
	path := Chromium(t)
	if o.Phone {
		o.Width, o.Height = 390, 844
	}
	if o.Width == 0 {
		o.Width, o.Height = 1280, 800
	}
	if o.Language == "" {
		o.Language = "en"
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	profile, err := os.MkdirTemp("", "wenlan-browser-")
	if err != nil {
		t.Fatal(err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.Headless,
		chromedp.DisableGPU,
		chromedp.UserDataDir(profile),
		chromedp.WindowSize(o.Width, o.Height),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-default-apps", true),
		chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("no-pings", true),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider"),
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("hide-scrollbars", false),
		chromedp.Flag("lang", o.Language),
		chromedp.Flag("accept-lang", o.Language),
	}
	if o.NetLog != "" {
		options = append(options, chromedp.Flag("log-net-log", o.NetLog),
			chromedp.Flag("net-log-capture-mode", "Everything"))
	}
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelTab := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	ctx, cancelTime := context.WithTimeout(ctx, o.Timeout)
	var once sync.Once
	stop := func() {
		once.Do(func() {
			// A browser that is asked to end writes its log out; one that is
			// killed does not.
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			_ = chromedp.Cancel(end)
			cancel()
			cancelTime()
			cancelTab()
			cancelAlloc()
			_ = os.RemoveAll(profile)
		})
	}
	t.Cleanup(stop)

	scheme := "light"
	if o.Dark {
		scheme = "dark"
	}
	var view []chromedp.EmulateViewportOption
	if o.Phone {
		view = append(view, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2))
	}
	if err := chromedp.Do(ctx,
		Call(network.Enable, network.EnableParams{}),
		Call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
		chromedp.EmulateViewport(int64(o.Width), int64(o.Height), view...),
	); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx, stop
}

// Call is a DevTools command as a step.
func Call[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

// Do drives the tab; the test ends when a step fails.
func Do(t testing.TB, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// Eval is the value of an expression in the page; a promise is awaited.
func Eval[T any](t testing.TB, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Wait waits until an expression in the page is true.
func Wait(t testing.TB, ctx context.Context, expression string) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && ok {
			return
		}
		if ctx.Err() != nil || time.Now().After(end) {
			t.Fatalf("waited for %s: %v", expression, err)
		}
	}
}

// Requests is what a page asked for and said.
type Requests struct {
	mu      sync.Mutex
	urls    map[network.RequestID]string
	order   []network.RequestID
	blocked map[network.RequestID]bool
	errors  []string
	console []string
}

// Watch records every request of the tab from now on, what was thrown in its
// scripts, and what its console said.
func Watch(t testing.TB, ctx context.Context) *Requests {
	t.Helper()
	rs := &Requests{urls: map[network.RequestID]string{}, blocked: map[network.RequestID]bool{}}
	err := chromedp.Listen(ctx, func(ev any) {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if _, seen := rs.urls[ev.RequestID]; !seen {
				rs.order = append(rs.order, ev.RequestID)
			}
			rs.urls[ev.RequestID] = ev.Request.URL
		case *network.EventLoadingFailed:
			if ev.BlockedReason != "" {
				rs.blocked[ev.RequestID] = true
			}
		case *network.EventWebSocketCreated:
			rs.order = append(rs.order, ev.RequestID)
			rs.urls[ev.RequestID] = ev.URL
		case *cdpruntime.EventExceptionThrown:
			text := ev.ExceptionDetails.Text
			if ev.ExceptionDetails.Exception != nil {
				text += " " + ev.ExceptionDetails.Exception.Description
			}
			rs.errors = append(rs.errors, text)
		case *cdpruntime.EventConsoleAPICalled:
			var words []string
			for _, arg := range ev.Args {
				if arg.Description != "" {
					words = append(words, arg.Description)
				} else {
					words = append(words, string(arg.Value))
				}
			}
			rs.console = append(rs.console, string(ev.Type)+": "+strings.Join(words, " "))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// Sent lists the addresses that were asked for, in order, without those that the
// browser itself held back, and without data: and blob:.
func (rs *Requests) Sent() []string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var list []string
	for _, id := range rs.order {
		u := rs.urls[id]
		if rs.blocked[id] || strings.HasPrefix(u, "data:") || strings.HasPrefix(u, "blob:") || strings.HasPrefix(u, "about:") {
			continue
		}
		list = append(list, u)
	}
	return list
}

// Foreign lists those of Sent that went to another origin than base.
func (rs *Requests) Foreign(base string) []string {
	home, err := url.Parse(base)
	if err != nil {
		return []string{"bad base: " + base}
	}
	var list []string
	for _, u := range rs.Sent() {
		p, err := url.Parse(u)
		if err != nil || p.Scheme != home.Scheme || p.Host != home.Host {
			list = append(list, u)
		}
	}
	return list
}

// Errors lists the exceptions that no script caught.
func (rs *Requests) Errors() []string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return slices.Clone(rs.errors)
}

// Console lists what the page's scripts wrote, each with its kind before it.
func (rs *Requests) Console() []string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return slices.Clone(rs.console)
}

// Canary is a server that nobody should reach.
type Canary struct {
	Addr string
	mu   sync.Mutex
	hits []string
}

// NewCanary listens on the loopback until the test ends. It counts connections,
// not only requests, so that a mere preconnect is seen.
func NewCanary(t testing.TB) *Canary {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Canary{Addr: l.Addr().String()}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			i := len(c.hits)
			c.hits = append(c.hits, "a connection, nothing said")
			c.mu.Unlock()
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				buf := make([]byte, 512)
				n, _ := conn.Read(buf)
				if n > 0 {
					line, _, _ := strings.Cut(string(buf[:n]), "\r\n")
					c.mu.Lock()
					c.hits[i] = line
					c.mu.Unlock()
				}
				_, _ = fmt.Fprint(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}()
		}
	}()
	return c
}

// Hits lists what came: the first line of each request, or that there was none.
func (c *Canary) Hits() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.hits)
}

// Mentions lists the distinct lines of text in a network log that hold word. Call
// it when the browser has ended.
func Mentions(t testing.TB, netLog, word string) []string {
	t.Helper()
	data, err := os.ReadFile(netLog)
	if err != nil {
		t.Fatalf("network log: %v", err)
	}
	if !strings.Contains(string(data), `"events"`) {
		t.Fatalf("the network log %s holds no events", netLog)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		// the first event repeats the command line, which may name the word
		if strings.Contains(line, word) && !strings.Contains(line, "command_line") {
			line = strings.TrimSpace(line)
			if len(line) > 400 {
				line = line[:400]
			}
			found = append(found, line)
		}
	}
	return found
}

// Axe runs axe-core over the page and reports each violation as a failure.
func Axe(t testing.TB, ctx context.Context) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(repository(), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		missing(t, "axe-core is not installed: run make assets")
	}
	Eval[int](t, ctx, string(source)+"\n;0")
	out := Eval[string](t, ctx, `axe.run(document, {resultTypes: ['violations'], iframes: false}).then(r => JSON.stringify(
		r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 5).map(n => n.html.slice(0, 200) + ' · ' + n.failureSummary.replaceAll('\n', ' '))}))))`)
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(out), &violations); err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Errorf("axe: %s: %s\n  %s", v.ID, v.Help, strings.Join(v.Nodes, "\n  "))
	}
}

// Shot keeps a picture of the window as NAME.png in the folder WENLAN_SHOTS; it
// does nothing when that is not set.
func Shot(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("WENLAN_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("picture %s: %v", name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// repository is the root of the repository.
func repository() string {
	_, self, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(self), "..", "..")
}
