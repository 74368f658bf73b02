package web

import (
	_ "embed"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/i18n"
	"wenlan/internal/index"
)

// classSchemes are the classifications that can be browsed.
var classSchemes = []string{index.CLC, index.DDC}

var classNames = map[string]string{index.DDC: "class.ddc", index.CLC: "class.clc"}

//go:embed classes.txt
var classText string

// captions are what the upper classes are about, English and Chinese, by scheme and
// class without points.
var captions = sync.OnceValue(func() map[string][2]string {
	out := map[string][2]string{}
	for line := range strings.Lines(classText) {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		code, caption, ok := strings.Cut(rest, " ")
		if !ok || scheme == "#" {
			continue
		}
		english, chinese, _ := strings.Cut(caption, " | ")
		out[scheme+" "+code] = [2]string{english, chinese}
	}
	return out
})

// caption is what a class is about, in the reader's language; empty: it has none here.
func (p *page) caption(scheme, class string) string {
	c := captions()[scheme+" "+strings.ReplaceAll(class, ".", "")]
	if strings.HasPrefix(p.Tag(), "zh") {
		return c[1]
	}
	return c[0]
}

// className is a class as it is written: a class or division of DDC with noughts.
func className(scheme, class string) string {
	if scheme == index.DDC && len(class) < 3 {
		return class + strings.Repeat("0", 3-len(class))
	}
	return class
}

// classLine is a class in a list.
type classLine struct {
	Code, Caption, Href string
	N                   int64
	About               bool // N is an estimate
	Under               []classLine
	class               string        // as the index has it
	say                 *i18n.Printer // see countLink
}

// Count is the number as the reader writes numbers.
func (c classLine) Count() string { return counted(c.say, c.N, c.About) }

// classesUnder gives the classes right under one.
func (s *Site) classesUnder(r *http.Request, p *page, scheme, parent string) ([]classLine, error) {
	list, err := s.cfg.Index.Classes(r.Context(), scheme, parent)
	if err != nil {
		return nil, err
	}
	var out []classLine
	for _, c := range list {
		out = append(out, classLine{Code: className(scheme, c.Code), Caption: p.caption(scheme, c.Code), Href: classPath(scheme, c.Code), N: c.N, About: !c.Exact, class: c.Code, say: p.Printer})
	}
	return out, nil
}

// classTree is a scheme with its main classes.
func (s *Site) classTree(r *http.Request, p *page, scheme string) (classTree, error) {
	tree := classTree{Name: p.T(classNames[scheme]), Href: classPath(scheme, "")}
	var err error
	tree.Classes, err = s.classesUnder(r, p, scheme, "")
	return tree, err
}

type classesPage struct {
	page
	Trees []classTree
}

// classes answers /classes, and /classes/SCHEME with what is under each main class, too.
func (s *Site) classes(w http.ResponseWriter, r *http.Request) error {
	p := &classesPage{page: s.newPage(w, r)}
	p.page.Title, p.Section = p.T("browse.classes"), "browse"
	schemes := classSchemes
	if scheme := r.PathValue("scheme"); scheme != "" {
		if classNames[scheme] == "" {
			return errs.New(errs.NotFound, "there is no classification %q here", scheme)
		}
		p.page.Title, schemes = p.T(classNames[scheme]), []string{scheme}
	}
	for _, scheme := range schemes {
		tree, err := s.classTree(r, &p.page, scheme)
		if err != nil {
			return err
		}
		if len(schemes) == 1 {
			for i, c := range tree.Classes {
				if tree.Classes[i].Under, err = s.classesUnder(r, &p.page, scheme, c.class); err != nil {
					return err
				}
			}
		}
		p.Trees = append(p.Trees, tree)
	}
	return s.render(w, r, http.StatusOK, "classes", p)
}

// class answers /classes/SCHEME/CODE: the classes under it, and the records in it.
func (s *Site) class(w http.ResponseWriter, r *http.Request) error {
	scheme, asked := r.PathValue("scheme"), r.PathValue("code")
	code, ok := index.Class(scheme, asked)
	if !ok || classNames[scheme] == "" {
		return errs.New(errs.NotFound, "this is no class of a classification that is here")
	}
	self := classPath(scheme, code)
	if code != asked {
		http.Redirect(w, r, self, http.StatusMovedPermanently)
		return nil
	}
	p := &headingPage{page: s.newPage(w, r)}
	p.Above = p.T(classNames[scheme])
	under, err := s.classesUnder(r, &p.page, scheme, code)
	if err != nil {
		return err
	}
	p.Classes = under
	labels := map[string]*names{}
	see := func(h *holding) {
		for _, sub := range h.Record.Subjects {
			if c, ok := index.Class(strings.ToLower(sub.Scheme), sub.Code); ok && strings.EqualFold(sub.Scheme, scheme) && sub.Label != "" {
				if labels[c] == nil {
					labels[c] = &names{}
				}
				labels[c].add(sub.Label)
			}
		}
	}
	key := scheme + ":" + code
	if err := s.found(r, p, index.Query{Classes: []string{key}}, self, url.Values{"class": {key}}, see); err != nil {
		return err
	}
	// Below the captions of ours, what the records themselves call a class.
	label := func(code string) string {
		if c := p.caption(scheme, code); c != "" {
			return c
		}
		if l := labels[code]; l != nil {
			return l.most()
		}
		return ""
	}
	for i := range p.Classes {
		if c := &p.Classes[i]; c.Caption == "" {
			c.Caption = label(c.class)
		}
	}
	p.Heading = strings.TrimSpace(className(scheme, code) + " " + label(code))
	p.Crumbs = []link{{p.T(classNames[scheme]), classPath(scheme, "")}}
	for bare, n := strings.ReplaceAll(code, ".", ""), 1; n < len(bare); n++ {
		above, _ := index.Class(scheme, bare[:n])
		text := className(scheme, above)
		if c := p.caption(scheme, above); c != "" {
			text += " " + c
		}
		p.Crumbs = append(p.Crumbs, link{text, classPath(scheme, above)})
	}
	p.page.Title, p.Section = p.Heading, "browse"
	p.Browse = link{p.T("browse.classes"), "/classes"}
	return s.render(w, r, http.StatusOK, "heading", p)
}
