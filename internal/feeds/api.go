package feeds

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/record"
)

// Bounds of the API. Pages by number end, because a deep one makes the index walk
// far; who wants everything goes on by key, or copies the register.
const (
	defaultLimit = 20
	maxLimit     = 100
	maxDepth     = 10_000 // hits that paging can reach
	maxQuery     = 1000   // bytes of q
	maxFilter    = 20     // values of one filter
	maxKey       = 512    // bytes of a key to go on from
	suggestLimit = 8
	maxSuggest   = 20
	maxChanges   = 100 // of one record, the last
)

//go:embed openapi.json
var openapiSource []byte

// openAPI is the description with the program's version in it.
func openAPI(version string) ([]byte, error) {
	quoted, err := json.Marshal(version)
	if err != nil {
		return nil, err
	}
	spec := []byte(strings.Replace(string(openapiSource), `"VERSION"`, string(quoted), 1))
	if !json.Valid(spec) {
		return nil, fmt.Errorf("feeds: openapi.json is not JSON")
	}
	return spec, nil
}

// apiDescription serves the OpenAPI file.
func (f *Feeds) apiDescription(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	w.Header().Set("Content-Type", "application/json")
	return f.send(w, r, f.openapi)
}

// apiSearch answers a search with hits shaped like those of the command line.
func (f *Feeds) apiSearch(w http.ResponseWriter, r *http.Request, q url.Values) error {
	query, page, err := parseSearch(q, defaultLimit, maxLimit)
	if err != nil {
		return err
	}
	query.Facets = true
	res, err := f.cfg.Index.Search(r.Context(), query)
	if err != nil {
		return err
	}
	var hits []HitJSON
	if q.Get("group") == "1" {
		hits, err = NewGrouped(r.Context(), f.cfg.Catalog, res, f.reader(r), "")
	} else {
		hits, err = NewHits(r.Context(), f.cfg.Catalog, res)
	}
	if err != nil {
		return err
	}
	f.writeJSON(w, r, http.StatusOK, SearchJSON{
		Hits: hits, SearchEndJSON: NewSearchEnd(res), Page: page, Limit: query.Limit, Next: next(query, res), Facets: newFacets(res.Facets),
	})
	return nil
}

// next is the key after which the next page begins; empty where there is none.
// Where it is not known whether more follows, the next page may be empty.
func next(q index.Query, res *index.Result) string {
	if len(res.Hits) < q.Limit {
		return ""
	}
	if q.After == "" && res.Exact && int64(q.Offset+len(res.Hits)) >= res.Total {
		return ""
	}
	return res.Hits[len(res.Hits)-1].Key
}

// apiSuggest completes what someone is typing.
func (f *Feeds) apiSuggest(w http.ResponseWriter, r *http.Request, q url.Values) error {
	text, err := queryText(q)
	if err != nil {
		return err
	}
	limit, err := number(q, "limit", suggestLimit, 1, maxSuggest)
	if err != nil {
		return err
	}
	answer := SuggestJSON{Suggestions: []SuggestionJSON{}}
	if strings.TrimSpace(text) != "" {
		found, err := f.cfg.Index.Suggest(r.Context(), text, limit)
		if err != nil {
			return err
		}
		for _, s := range found {
			answer.Suggestions = append(answer.Suggestions, SuggestionJSON(s))
		}
	}
	f.writeJSON(w, r, http.StatusOK, answer)
	return nil
}

// apiRecord answers with one record.
func (f *Feeds) apiRecord(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	n, err := accession(r)
	if err != nil {
		return err
	}
	st, err := f.cfg.Catalog.Record(r.Context(), n)
	if err != nil {
		return err
	}
	if st.Erased != nil {
		return record.Decide(f.reader(r).question(st, nil)).Err()
	}
	rec, err := NewRecord(r.Context(), f.cfg.Catalog, st, f.reader(r), maxChanges)
	if err != nil {
		return err
	}
	f.writeJSON(w, r, http.StatusOK, rec)
	return nil
}

// parseSearch reads the parameters of a search. Filters may be given several
// times, lang, kind and access also as a list with commas.
func parseSearch(q url.Values, limit, most int) (query index.Query, page int, err error) {
	if query.Text, err = queryText(q); err != nil {
		return query, 0, err
	}
	query.Languages, query.Kinds, query.Subjects = commas(q["lang"]), commas(q["kind"]), q["subject"]
	query.Creators, query.Access = q["creator"], commas(q["access"])
	query.Classes, query.Persons = commas(q["class"]), commas(q["person"])
	for _, values := range [][]string{query.Languages, query.Kinds, query.Subjects, query.Creators, query.Access, query.Classes, query.Persons} {
		if len(values) > maxFilter {
			return query, 0, errs.New(errs.Invalid, "a filter may have at most %d values", maxFilter)
		}
	}
	for _, k := range query.Kinds {
		if !slices.Contains(record.Kinds, record.Kind(k)) {
			return query, 0, errs.New(errs.Invalid, "there is no kind %q", k)
		}
	}
	if query.YearFrom, query.YearTo, err = years(q.Get("year")); err != nil {
		return query, 0, err
	}
	switch query.Sort = q.Get("sort"); query.Sort {
	case "", index.Relevance, index.Newest, index.Oldest, index.Title:
	default:
		return query, 0, errs.New(errs.Invalid, "sort is relevance, newest, oldest or title, not %q", query.Sort)
	}
	if query.Limit, err = number(q, "limit", limit, 1, most); err != nil {
		return query, 0, err
	}
	if page, err = number(q, "page", 1, 1, maxDepth/query.Limit); err != nil {
		return query, 0, err
	}
	query.Offset = (page - 1) * query.Limit
	if query.After = q.Get("after"); query.After != "" && (page > 1 || len(query.After) > maxKey) {
		return query, 0, errs.New(errs.Invalid, "after is what the last answer gave as next, and goes without page")
	}
	return query, page, nil
}

// queryText is the text that is searched for.
func queryText(q url.Values) (string, error) {
	text := q.Get("q")
	if len(text) > maxQuery {
		return "", errs.New(errs.Invalid, "q may have at most %d bytes", maxQuery)
	}
	return strings.ToValidUTF8(text, " "), nil
}

// commas splits values that are lists, and drops empty ones.
func commas(values []string) (out []string) {
	for _, v := range values {
		for s := range strings.SplitSeq(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// years reads a range of years, see [index.ParseYears]; 0 is an open end.
func years(s string) (from, to int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	from, to, ok := index.ParseYears(s)
	if !ok {
		return 0, 0, errs.New(errs.Invalid, "year is a year or a range such as 1900-1950 or -400..-301, not %q", s)
	}
	return from, to, nil
}

// number reads a whole number within bounds.
func number(q url.Values, name string, otherwise, least, most int) (int, error) {
	s := q.Get(name)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, errs.New(errs.Invalid, "%s is a number from %d to %d, not %q", name, least, most, s)
	}
	return n, nil
}
