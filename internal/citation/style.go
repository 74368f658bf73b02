package citation

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// node is an element in the form in which citeproc-js takes styles and locales from
// a program: JSON, whose children are elements and text.
type node struct {
	Name     string            `json:"name"`
	Attrs    map[string]string `json:"attrs"`
	Children []any             `json:"children"`
}

// read is a file of the folder styles as such JSON. Of a style that only makes
// bibliographies, the citations in the text are left out: the processor writes every
// macro out where it is used, and they are half of them.
func read(name string, style bool) (string, error) {
	data, err := styles.ReadFile(name)
	if err != nil {
		return "", err
	}
	root, err := parse(data)
	if err != nil {
		return "", fmt.Errorf("citation: %s: %w", name, err)
	}
	if style {
		for _, c := range root.Children {
			if n, ok := c.(*node); ok && n.Name == "citation" {
				n.Attrs, n.Children = map[string]string{}, []any{&node{Name: "layout", Attrs: map[string]string{},
					Children: []any{&node{Name: "text", Attrs: map[string]string{"variable": "title"}, Children: []any{}}}}}
			}
		}
	}
	out, err := json.Marshal(root)
	return string(out), err
}

func parse(data []byte) (*node, error) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	var root *node
	var open []*node
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if root == nil {
				return nil, errors.New("no element")
			}
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			n := &node{Name: t.Name.Local, Attrs: map[string]string{}, Children: []any{}}
			for _, a := range t.Attr {
				key := a.Name.Local
				if a.Name.Space == "http://www.w3.org/XML/1998/namespace" {
					key = "xml:" + key
				}
				n.Attrs[key] = a.Value
			}
			if len(open) > 0 {
				top := open[len(open)-1]
				top.Children = append(top.Children, n)
			} else {
				root = n
			}
			open = append(open, n)
		case xml.EndElement:
			top := open[len(open)-1]
			if len(top.Children) == 0 && (top.Name == "term" || top.Name == "single" || top.Name == "multiple") {
				top.Children = []any{""} // a word that is empty in this language
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if s := string(t); len(open) > 0 && strings.TrimSpace(s) != "" {
				top := open[len(open)-1]
				top.Children = append(top.Children, s)
			}
		}
	}
}

// marks are the elements that a reference keeps.
var marks = map[atom.Atom]bool{atom.I: true, atom.B: true, atom.Sub: true, atom.Sup: true}

// plain makes of the processor's HTML what may stand in a page, and its text. The
// number that a numbered style puts before a reference is left out.
func plain(out string) (template.HTML, string) {
	z := html.NewTokenizer(strings.NewReader(out))
	var marked, text strings.Builder
	var open []atom.Atom
	margin := 0 // how deep in the margin's element
	for {
		switch z.Next() {
		case html.ErrorToken:
			for i := len(open) - 1; i >= 0; i-- {
				marked.WriteString("</" + open[i].String() + ">")
			}
			return template.HTML(strings.TrimSpace(marked.String())), strings.TrimSpace(text.String()) //nolint:gosec // escaped here
		case html.TextToken:
			if margin > 0 {
				continue
			}
			s := string(z.Text())
			if strings.TrimSpace(s) == "" && strings.Contains(s, "\n") {
				continue // between the processor's own elements
			}
			text.WriteString(s)
			marked.WriteString(html.EscapeString(s))
		case html.StartTagToken:
			t := z.Token()
			switch {
			case margin > 0 && t.DataAtom == atom.Div:
				margin++
			case t.DataAtom == atom.Div:
				for _, a := range t.Attr {
					if a.Key == "class" && a.Val == "csl-left-margin" {
						margin = 1
					}
				}
			case margin == 0 && marks[t.DataAtom]:
				open = append(open, t.DataAtom)
				marked.WriteString("<" + t.DataAtom.String() + ">")
			}
		case html.EndTagToken:
			t := z.Token()
			switch {
			case margin > 0 && t.DataAtom == atom.Div:
				margin--
			case margin == 0 && len(open) > 0 && open[len(open)-1] == t.DataAtom:
				open = open[:len(open)-1]
				marked.WriteString("</" + t.DataAtom.String() + ">")
			}
		}
	}
}
