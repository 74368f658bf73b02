package reader

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"

	"wenlan/internal/errs"
)

//go:embed page.html
var pageSource string

//go:embed messages/*.json
var messageFiles embed.FS

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// languages are those that the reader speaks, the first where none fits.
var languages = []string{"en", "zh-Hans"}

// messages are the reader's words in one language, by key.
type messages map[string]string

func loadMessages() (map[string]messages, error) {
	all := make(map[string]messages, len(languages))
	for _, tag := range languages {
		data, err := messageFiles.ReadFile(path.Join("messages", tag+".json"))
		if err != nil {
			return nil, err
		}
		var m messages
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, fmt.Errorf("messages of the reader in %s: %w", tag, err)
		}
		all[tag] = m
	}
	return all, nil
}

// page is what page.html shows.
type page struct {
	Built    bool
	Lang     string
	T        messages
	Words    string // T as JSON, for the scripts
	Title    string
	BookLang string // of the record, for the title
	Creators string
	Record   string // path of the record's page
	File     string // path of the download
	Book     string // path of the book's resources
	Key      string // under which the position is kept in the browser
	Form     form
	Fixed    bool // its pages have a size of their own
	Script   string
	Styles   []string
	Assets   string
	Nonce    string
	To       goal
}

func (rd *Reader) servePage(w http.ResponseWriter, r *http.Request) error {
	st, err := rd.record(r)
	if err != nil {
		return err
	}
	file, ok := Readable(st.Files, r.URL.Query().Get("file"))
	if !ok {
		// The door comes first: what may not be read is not said to be absent.
		if len(st.Files) > 0 {
			if err := rd.decide(r, st, st.Files[0]); err != nil {
				return err
			}
		}
		return errs.New(errs.NotFound, "this record has no file that can be read in the browser")
	}
	if err := rd.decide(r, st, file); err != nil {
		return err
	}
	lang := rd.cfg.Language(r)
	words, ok := rd.messages[lang]
	if !ok {
		lang, words = languages[0], rd.messages[languages[0]]
	}
	wordsJSON, err := json.Marshal(words)
	if err != nil {
		return err
	}
	number := strconv.FormatInt(st.Number, 10)
	kind := formOf(file)
	p := page{
		Built:  Built(),
		Lang:   lang,
		T:      words,
		Words:  string(wordsJSON),
		Title:  st.Record.Title,
		Record: "/records/" + number,
		File:   "/records/" + number + "/files/" + pathEscape(file.Name),
		Book:   "/records/" + number + "/book/" + file.SHA256 + "/",
		Key:    number + ":" + file.SHA256[:min(16, len(file.SHA256))],
		Form:   kind,
		Fixed:  kind == formPDF || kind == formComic,
		Assets: rd.assets(),
		Script: rd.assets() + "book.js",
		Styles: []string{rd.assets() + "reader.css"},
	}
	if p.Title == "" {
		p.Title = file.Name
	}
	if len(st.Record.Languages) > 0 {
		p.BookLang = st.Record.Languages[0]
	}
	for i, c := range st.Record.Creators {
		if i == 3 {
			p.Creators += " …"
			break
		}
		if i > 0 {
			p.Creators += words["list-comma"]
		}
		p.Creators += c.Name
	}
	if kind == formPDF {
		p.Script = rd.assets() + "pdf.js"
		p.Styles = append(p.Styles, rd.assets()+"pdf.css")
	}
	p.To = rd.goal(r, file, kind)
	p.Nonce = rd.pageHeaders(w.Header(), r, kind, p.Book)
	var buf bytes.Buffer
	if err := pageTemplate.Execute(&buf, p); err != nil {
		return fmt.Errorf("reader page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	h.Set("Content-Language", lang)
	h.Add("Vary", "Accept-Language, Cookie")
	_, _ = w.Write(buf.Bytes()) // an error here means that the reader has gone
	return nil
}

// pathEscape escapes a file name as one segment of a path.
func pathEscape(name string) string {
	return strings.ReplaceAll(template.URLQueryEscaper(name), "+", "%20")
}
