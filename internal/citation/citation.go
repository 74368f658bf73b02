// Package citation makes references of works in the styles that readers are asked
// for: APA, Chicago, GB/T 7714 and MLA.
//
// The work is done by citeproc-js, the processor of the Citation Style Language
// (CSL 1.0.2), in a JavaScript interpreter that has no access to anything. It reads
// the styles in the folder styles. Reading them takes a fraction of a second and
// some tens of megabytes, so it is done when a reference is first asked for, and
// undone when none has been for a while; references that were made are kept.
package citation

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"sync"
	"time"

	"wenlan/internal/errs"

	"github.com/dop251/goja"
)

// The folder dist is made by scripts/assets. Only a note is committed, so that the
// program builds without it, and then has no processor: see Built.
//
//go:embed all:dist
var dist embed.FS

//go:embed styles
var styles embed.FS

// Style is a style of references.
type Style struct {
	ID   string // "apa", "chicago", "gbt7714", "mla": as it stands in addresses
	Name string // as it is called everywhere: "APA", "GB/T 7714"
	file string
}

// Styles are all styles, in the order in which they are shown.
var Styles = []Style{
	{"apa", "APA", "apa.csl"},
	{"chicago", "Chicago", "chicago-author-date.csl"},
	{"gbt7714", "GB/T 7714", "china-national-standard-gb-t-7714-2015-numeric.csl"},
	{"mla", "MLA", "modern-language-association.csl"},
}

// Reference is a work as a style writes it.
type Reference struct {
	Style Style
	HTML  template.HTML // with i, b, sub and sup, and no attributes
	Text  string        // the same without marks
}

// Limits of what one reference may cost.
const (
	maxNames = 20 // before the last one; no style shows more
	maxField = 2000
	patience = 5 * time.Second  // for a reference, and for one's turn
	loading  = 30 * time.Second // of a style
	idle     = 5 * time.Minute
)

// Processor makes references. Its methods may be called at once; one works at a time.
type Processor struct {
	free  chan struct{} // holds the right to vm
	vm    *machine      // nil: not loaded
	timer *time.Timer
	kept  kept
}

// New makes a processor; it loads nothing yet.
func New() *Processor {
	p := &Processor{free: make(chan struct{}, 1)}
	p.free <- struct{}{}
	return p
}

// Built says whether the processor is in this program.
func Built() bool {
	_, err := dist.Open("dist/citeproc.js")
	return err == nil
}

// References writes a work in every style, in the order of [Styles]. item is one
// item of CSL-JSON; language, a BCP 47 tag, is that of the work, and so of the words
// that a style adds: Chinese or, for all others, English. What was made of an item is
// kept for a while, within bounds.
//
// errs.Unavailable: the program was built without the processor, or it is busy or
// took too long.
func (p *Processor) References(ctx context.Context, item []byte, language string) ([]Reference, error) {
	if !Built() {
		return nil, errs.New(errs.Unavailable, "this program was built without its citation processor: make assets")
	}
	work, err := bounded(item)
	if err != nil {
		return nil, err
	}
	locale := "en-US"
	if base, _, _ := strings.Cut(strings.ToLower(language), "-"); base == "zh" || base == "lzh" {
		locale = "zh-CN"
	}
	key := keyOf(work, locale)
	if list := p.kept.get(key); list != nil {
		return slices.Clone(list), nil
	}
	turn := time.NewTimer(patience)
	defer turn.Stop()
	select {
	case <-p.free:
	case <-turn.C:
		return nil, errs.New(errs.Unavailable, "the citation processor is busy")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { p.free <- struct{}{} }()
	if list := p.kept.get(key); list != nil { // made while this one waited
		return slices.Clone(list), nil
	}
	if p.vm == nil {
		if p.vm, err = load(); err != nil {
			return nil, err
		}
	}
	p.rest()
	list := make([]Reference, 0, len(Styles))
	for _, s := range Styles {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out, err := p.vm.reference(s, locale, work)
		if err != nil {
			p.vm = nil // whatever state it is in
			return nil, err
		}
		ref := Reference{Style: s}
		ref.HTML, ref.Text = plain(out)
		list = append(list, ref)
	}
	p.kept.add(key, slices.Clone(list))
	return list, nil
}

// rest lets the machine go when nothing has been asked for a while.
func (p *Processor) rest() {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer = time.AfterFunc(idle, func() {
		<-p.free
		p.vm = nil
		p.free <- struct{}{}
	})
}

// bounded is an item without what would cost much and show nothing.
func bounded(item []byte) (string, error) {
	var work map[string]any
	if err := json.Unmarshal(item, &work); err != nil {
		return "", errs.New(errs.Invalid, "not an item of CSL-JSON: %w", err)
	}
	if work == nil {
		return "", errs.New(errs.Invalid, "not an item of CSL-JSON: null")
	}
	delete(work, "abstract")
	delete(work, "note")
	delete(work, "keyword")
	for key, v := range work {
		switch v := v.(type) {
		case string:
			work[key] = cut(v)
		case []any:
			if len(v) > maxNames+1 {
				v = append(v[:maxNames:maxNames], v[len(v)-1])
				work[key] = v
			}
			for _, name := range v {
				if name, ok := name.(map[string]any); ok {
					for part, s := range name {
						if s, ok := s.(string); ok {
							name[part] = cut(s)
						}
					}
				}
			}
		}
	}
	work["id"] = "work"
	out, err := json.Marshal(work)
	return string(out), err
}

func cut(s string) string {
	if len(s) > maxField {
		return strings.ToValidUTF8(s[:maxField], "") + "…"
	}
	return s
}

// program is the processor, compiled once.
var program = sync.OnceValues(func() (*goja.Program, error) {
	code, err := dist.ReadFile("dist/citeproc.js")
	if err != nil {
		return nil, err
	}
	return goja.Compile("citeproc.js", string(code), false)
})

// machine is an interpreter with the processor in it.
type machine struct {
	vm      *goja.Runtime
	make    goja.Callable
	render  goja.Callable
	engines map[string]goja.Value // by style and locale
}

// glue makes an engine of a style, and a reference with it. An engine asks for its
// locale and for its only item.
const glue = `(function (CSL, locale) {
	let item
	const sys = { retrieveLocale: (tag) => locale(tag), retrieveItem: () => item }
	return {
		make: (style, tag) => new CSL.Engine(sys, style, tag, true),
		render: (engine, work) => {
			item = JSON.parse(work)
			engine.updateItems([])
			engine.updateItems(["work"])
			const made = engine.makeBibliography()
			return made ? made[1].join("") : ""
		},
	}
})`

func load() (*machine, error) {
	code, err := program()
	if err != nil {
		return nil, fmt.Errorf("citation: %w", err)
	}
	vm := goja.New()
	vm.SetMaxCallStackSize(2000)
	module := vm.NewObject()
	for name, v := range map[string]any{"module": module, "exports": vm.NewObject()} {
		if err := vm.Set(name, v); err != nil {
			return nil, err
		}
	}
	if _, err := vm.RunProgram(code); err != nil {
		return nil, fmt.Errorf("citation: start the processor: %w", err)
	}
	made, err := vm.RunString(glue)
	if err != nil {
		return nil, fmt.Errorf("citation: %w", err)
	}
	start, ok := goja.AssertFunction(made)
	if !ok {
		return nil, errs.New(errs.Internal, "citation: the processor has another form")
	}
	locale := func(tag string) (string, error) {
		name := "en-US"
		if strings.HasPrefix(tag, "zh") {
			name = "zh-CN"
		}
		return read("styles/locales-"+name+".xml", false)
	}
	hooks, err := start(goja.Undefined(), module.Get("exports"), vm.ToValue(locale))
	if err != nil {
		return nil, fmt.Errorf("citation: %w", err)
	}
	m := &machine{vm: vm, engines: map[string]goja.Value{}}
	for name, fn := range map[string]*goja.Callable{"make": &m.make, "render": &m.render} {
		if *fn, ok = goja.AssertFunction(hooks.ToObject(vm).Get(name)); !ok {
			return nil, errs.New(errs.Internal, "citation: the processor has another form")
		}
	}
	return m, nil
}

// reference is what the processor writes, as HTML.
func (m *machine) reference(s Style, locale, work string) (string, error) {
	fail := func(err error) (string, error) {
		if errors.As(err, new(*goja.InterruptedError)) {
			return "", errs.New(errs.Unavailable, "the reference took too long to make")
		}
		return "", fmt.Errorf("citation: %s: %w", s.ID, err)
	}
	key := s.ID + " " + locale
	engine := m.engines[key]
	if engine == nil {
		style, err := read("styles/"+s.file, true)
		if err != nil {
			return "", err
		}
		err = m.within(loading, func() (err error) {
			engine, err = m.make(goja.Undefined(), m.vm.ToValue(style), m.vm.ToValue(locale))
			return err
		})
		if err != nil {
			return fail(err)
		}
		m.engines[key] = engine
	}
	var out goja.Value
	err := m.within(patience, func() (err error) {
		out, err = m.render(goja.Undefined(), engine, m.vm.ToValue(work))
		return err
	})
	if err != nil {
		return fail(err)
	}
	return out.String(), nil
}

// within runs fn in the machine, no longer than limit. Nothing else interrupts it:
// what was interrupted must be loaded anew.
func (m *machine) within(limit time.Duration, fn func() error) error {
	over := time.AfterFunc(limit, func() { m.vm.Interrupt("too long") })
	err := fn()
	if !over.Stop() && err == nil {
		err = errs.New(errs.Unavailable, "the reference took too long to make") // the next one would be interrupted
	}
	return err
}

// Licence is that of the bundled processor, for the page that lists them.
type Licence struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Licence string `json:"licence"` // SPDX expression
	Text    string `json:"text"`
}

// Licences are the licences of the third-party code and data in this package; none
// when the processor was not built.
func Licences() []Licence {
	data, err := dist.ReadFile("dist/licences.json")
	if err != nil {
		return nil
	}
	var list []Licence
	if json.Unmarshal(data, &list) != nil {
		return nil
	}
	return append(list, Licence{"Citation Style Language: styles and locales", "", "CC-BY-SA-3.0",
		"The styles apa, chicago-author-date, modern-language-association and china-national-standard-gb-t-7714-2015-numeric and the locales en-US and zh-CN, by the authors and contributors named in each, unchanged.\nhttps://citationstyles.org/\nhttps://creativecommons.org/licenses/by-sa/3.0/"})
}
