package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/app"
	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/feeds"
	"wenlan/internal/index"
	"wenlan/internal/record"

	"github.com/spf13/cobra"
)

// open opens the library of the data folder for reading.
func (e *env) open(cmd *cobra.Command) (*app.Library, error) {
	cfg, err := e.config()
	if err != nil {
		return nil, err
	}
	return app.OpenToRead(cmd.Context(), cfg, e.log())
}

func (e *env) searchCommand() *cobra.Command {
	var q index.Query
	var year string
	var group bool
	c := &cobra.Command{
		Use:   "search QUERY",
		Short: "Search the catalogue",
		Long: `Searches titles, creators, series, subjects, abstracts and identifiers, in any
language. All words must match; where no record has them all, those with the
best of them are shown. Chinese is found by its pinyin as well.

  "words in quotes" stand together      -word, -"a phrase" must not be there
  this OR that                          neur* begins so
  title: author: subject: publisher: isbn: doi:   only there
  year:1990..2000   lang:zh,en   kind:article

Put -- before a query that begins with a hyphen.`,
		Example: "  wenlan search pride prejudice\n  wenlan search 红楼梦 --lang zh\n  wenlan search 'title:attention -transformer year:2015..'",
		Args:    cobra.MinimumNArgs(1),
	}
	f := c.Flags()
	f.StringSliceVar(&q.Languages, "lang", nil, "only these languages: zh, en")
	f.StringSliceVar(&q.Kinds, "kind", nil, "only these kinds: book, article, …")
	f.StringSliceVar(&q.Subjects, "subject", nil, "only these subjects")
	f.StringSliceVar(&q.Creators, "creator", nil, "only these creators, by their names as shown")
	f.StringSliceVar(&q.Access, "access", nil, "only with this access: open, subsidised, lend, sale, none, withdrawn")
	f.StringSliceVar(&q.Classes, "class", nil, "only these classes and those under them: ddc:823, clc:I24")
	f.StringSliceVar(&q.Persons, "person", nil, "only these persons, by identifier: orcid:0000-0002-1825-0097")
	f.BoolVar(&group, "group", false, "show one edition of each work: one that can be read, and in your language, before others")
	f.BoolVar(&q.Exactly, "exactly", false, "correct no word, and give no partial matches")
	f.StringVar(&year, "year", "", "only this year, or years: 1900, 1850-1900, 1850-, -1900; with two dots, also before our era: -400..-301")
	f.IntVar(&q.Limit, "limit", 20, "how many to show, at most 1000")
	f.IntVar(&q.Offset, "offset", 0, "how many to pass over")
	f.StringVar(&q.Sort, "sort", index.Relevance, "relevance, newest, oldest, title")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		q.Text = strings.Join(args, " ")
		var err error
		if q.YearFrom, q.YearTo, err = years(year); err != nil {
			return err
		}
		switch q.Sort {
		case index.Relevance, index.Newest, index.Oldest, index.Title:
		default:
			return usageError{fmt.Errorf("%q is not an order: relevance, newest, oldest, title", q.Sort)}
		}
		if q.Limit < 1 || q.Limit > 1000 || q.Offset < 0 {
			return usageError{fmt.Errorf("the limit is 1 to 1000, the offset not negative")}
		}
		l, err := e.open(cmd)
		if err != nil {
			return err
		}
		defer l.Close()
		hits, end, err := l.Search(cmd.Context(), q, group, e.printer().Tag())
		if err != nil {
			return err
		}
		for _, h := range hits {
			if e.json {
				err = e.print(h)
			} else {
				line := e.line(h.Record, h.Title, h.Creators, h.Issued, h.Languages)
				if n := int64(len(h.Editions)); n > 0 {
					line += "  " + e.printer().N("cli.search.editions", n)
				}
				err = e.say(line)
			}
			if err != nil {
				return err
			}
		}
		if e.json {
			return e.print(end)
		}
		if !e.quiet {
			key := "cli.search.total"
			if !end.Exact {
				key = "cli.search.about"
			}
			if end.Corrected != "" {
				e.note(e.t("cli.search.corrected", end.Corrected))
			}
			if end.Partial {
				e.note(e.t("cli.search.partial"))
			}
			if end.DidYouMean != "" {
				e.note(e.t("cli.search.meant", end.DidYouMean))
			}
			e.note(e.printer().N(key, end.Total, strconv.FormatFloat(end.TookMS, 'f', 1, 64)))
		}
		return nil
	}
	return c
}

// years reads 1900, 1850-1900, 1850-, -1900, -400..-301: see [index.ParseYears].
func years(s string) (from, to int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	from, to, ok := index.ParseYears(s)
	if !ok {
		return 0, 0, usageError{fmt.Errorf("%q is not a year or a range of years: 1900, 1850-1900, -400..-301", s)}
	}
	return from, to, nil
}

// line is a record in one line.
func (e *env) line(n int64, title string, creators []record.Creator, issued string, languages []string) string {
	var names []string
	for _, c := range creators {
		if slices.Contains(names, c.Name) {
			continue // who wrote and drew is there twice
		}
		if len(names) == 3 {
			names = append(names, "…")
			break
		}
		names = append(names, c.Name)
	}
	line := fmt.Sprintf("%7d  %s", n, title)
	if len(names) > 0 {
		line += " — " + strings.Join(names, ", ")
	}
	var about []string
	if issued != "" {
		about = append(about, issued)
	}
	about = append(about, languages...)
	if len(about) > 0 {
		line += " (" + strings.Join(about, ", ") + ")"
	}
	return line
}

// creatorLines are the creators with what they did, each once.
func creatorLines(creators []record.Creator) []string {
	var names []string
	roles := map[string][]string{}
	for _, c := range creators {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
		if c.Role != "" && !slices.Contains(roles[c.Name], c.Role) {
			roles[c.Name] = append(roles[c.Name], c.Role)
		}
	}
	for i, name := range names {
		if did := roles[name]; len(did) > 0 {
			names[i] = name + " (" + strings.Join(did, ", ") + ")"
		}
	}
	return names
}

func (e *env) listCommand() *cobra.Command {
	var q catalog.ListQuery
	c := &cobra.Command{
		Use: "list", Short: "List records", Args: cobra.NoArgs,
		Long:    "Lists records, oldest first. With --duplicates, those that look the same stand\ntogether, with the reason: the same file, identifier, or title, creator and\nlanguage. wenlan merge says that they are the same; two that were merged and\ntaken apart with wenlan unmerge are not listed again.",
		Example: "  wenlan list --duplicates\n  wenlan merge 40 12\n  wenlan unmerge 40",
	}
	c.Flags().BoolVar(&q.NeedsRights, "needs-rights", false, "only those whose rights are not stated")
	c.Flags().BoolVar(&q.Duplicates, "duplicates", false, "only those that look like another")
	c.Flags().IntVar(&q.Limit, "limit", 0, "how many (default: all)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		l, err := e.open(cmd)
		if err != nil {
			return err
		}
		defer l.Close()
		if q.Duplicates {
			return l.Doubtful(cmd.Context(), q, e.printGroup)
		}
		return l.List(cmd.Context(), q, func(j feeds.ListedJSON, st *record.State) error {
			if e.json {
				return e.print(j)
			}
			r := st.Record
			return e.say(e.line(j.Record, j.Title, r.Creators, r.Issued, r.Languages))
		})
	}
	return c
}

// printGroup prints records that look the same, one a line, with a line between
// groups; or as one object.
func (e *env) printGroup(st *record.State, others []feeds.AlikeJSON, states []*record.State) error {
	if e.json {
		return e.print(feeds.GroupJSON{ListedJSON: feeds.NewListed(st), Duplicates: others})
	}
	p := e.printer()
	line := func(st *record.State) string {
		r := st.Record
		return e.line(st.Number, r.Title, r.Creators, r.Issued, r.Languages)
	}
	text := line(st)
	for i, other := range states {
		why := others[i].Why
		switch why {
		case "bytes", "title":
			why = p.T("cli.list." + why)
		default:
			why = p.T("cli.list.id", strings.ToUpper(why))
		}
		text += "\n" + line(other) + "  · " + why
	}
	return e.say(text + "\n")
}

func (e *env) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show N", Short: "Show a record with its files, rights and history", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := number(args[0])
			if err != nil {
				return err
			}
			l, err := e.open(cmd)
			if err != nil {
				return err
			}
			defer l.Close()
			rec, err := l.Show(cmd.Context(), n)
			if err != nil {
				return err
			}
			if e.json {
				return e.print(rec)
			}
			return e.printRecord(rec)
		},
	}
}

func (e *env) printRecord(rec feeds.RecordJSON) error {
	p := e.printer()
	var b strings.Builder
	row := func(key string, values ...string) {
		for _, v := range values {
			if v = strings.TrimSpace(v); v != "" {
				fmt.Fprintf(&b, "  %s: %s\n", p.T("cli.show."+key), strings.ReplaceAll(v, "\n", "\n      "))
			}
		}
	}
	fmt.Fprintf(&b, "%d  %s\n", rec.Number, rec.Title)
	row("alt", rec.AltTitles...)
	for _, name := range creatorLines(rec.Creators) {
		row("creator", name)
	}
	row("kind", string(rec.Kind))
	row("languages", strings.Join(rec.Languages, ", "))
	row("issued", rec.Issued)
	row("publisher", rec.Publisher)
	row("place", rec.Place)
	if c := rec.Container; c != nil {
		row("container", strings.Join(strings.Fields(strings.Join([]string{c.Title, c.Volume, c.Issue, c.Pages, c.ISSN}, " ")), " "))
	}
	for _, s := range rec.Subjects {
		row("subject", strings.TrimSpace(s.Label+" "+s.Code))
	}
	for _, id := range rec.IDs {
		row("id", id.Scheme+" "+id.Value)
	}
	row("abstract", rec.Abstract)
	for _, f := range rec.Files {
		row("file", fmt.Sprintf("%s (%s, %s, %s)\n%s", f.Name, f.Role, f.MediaType, p.Bytes(f.Bytes), "sha256:"+f.SHA256))
	}
	row("decision", string(rec.Decision.Reason))
	if r := rec.Rights; r != nil && r.Basis != "" {
		parts := []string{r.Basis, r.Licence, string(r.Access), r.Holder}
		if ev := r.Evidence; ev != nil {
			parts = append(parts, ev.URL, ev.Text)
			if r.Bare() {
				parts = append(parts, p.T("cli.show.asserted", ev.By, ev.At))
			}
		}
		row("rights", strings.Join(compact(parts), "; "))
	}
	for _, w := range rec.Withdrawals {
		row("withdrawn", strings.Join(compact([]string{w.Ground, w.Case, strings.Join(w.Territories, ","), w.Blob}), "; "))
	}
	if rec.MergedInto != nil {
		row("merged_into", strconv.FormatInt(*rec.MergedInto, 10))
	}
	for _, n := range rec.Merged {
		row("merged", strconv.FormatInt(n, 10))
	}
	for _, ed := range rec.Editions {
		row("edition", fmt.Sprintf("%d  %s (%s)", ed.Record, ed.Title, strings.Join(compact(append(slices.Clone(ed.Languages), ed.Relation)), ", ")))
	}
	fmt.Fprintf(&b, "  %s:\n", p.T("cli.show.history"))
	for _, h := range rec.History {
		what := string(h.Type)
		if h.Erased {
			what = p.T("cli.show.erased")
		}
		i := slices.IndexFunc(rec.Changes, func(c record.Change) bool { return c.Entry == h.Entry })
		note := h.Note
		if i >= 0 && rec.Changes[i].Source != "" {
			note = rec.Changes[i].Source
		}
		fmt.Fprintf(&b, "    %7d  %s  %s  %s\n", h.Entry, h.Time.Format("2006-01-02 15:04:05"), what, note)
		if i < 0 {
			continue
		}
		for _, f := range rec.Changes[i].Fields {
			for _, v := range f.Before {
				fmt.Fprintf(&b, "             − %s: %s\n", f.Field, strings.Join(strings.Fields(v), " "))
			}
			for _, v := range f.After {
				fmt.Fprintf(&b, "             + %s: %s\n", f.Field, strings.Join(strings.Fields(v), " "))
			}
		}
	}
	return e.say(strings.TrimSuffix(b.String(), "\n"))
}

func compact(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (e *env) getCommand() *cobra.Command {
	var out, name string
	c := &cobra.Command{
		Use: "get N", Short: "Write the file of a record, checked against its hash", Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVarP(&out, "output", "o", "", "the file or folder to write to; - is standard output (default: the file's own name)")
	c.Flags().StringVar(&name, "name", "", "which of the record's files (default: its first text)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := number(args[0])
		if err != nil {
			return err
		}
		if e.json && out == "-" {
			return usageError{fmt.Errorf("--json and -o - both want standard output")}
		}
		l, err := e.open(cmd)
		if err != nil {
			return err
		}
		defer l.Close()
		got, err := l.Get(cmd.Context(), n, name, out, e.stdout)
		if err != nil {
			return err
		}
		switch {
		case e.json:
			return e.print(got)
		case !e.quiet && out != "-":
			e.note(e.t("cli.get.written", got.File, e.printer().Bytes(got.Bytes)))
		}
		return nil
	}
	return c
}

func (e *env) verifyCommand() *cobra.Command {
	var req app.VerifyRequest
	c := &cobra.Command{
		Use: "verify", Short: "Check every byte, and say what is wrong and how to mend it", Args: cobra.NoArgs,
		Long:    "Checks the register against its signed checkpoint, every blob against its hash,\nand the views. With --budget it reads blobs for that long, those that were read\nlongest ago first, and goes on there the next time.\n\nWith --repair it mends what is wrong, without asking: what can be computed is, the\nrest is fetched from other copies (those that are named with --from, that a mirror\ncopies from, that the charter names, that announced themselves) and checked, and\ndamaged views are made anew. What nobody has is named; the exit code is 4 then.",
		Example: "  wenlan verify --budget 1h\n  wenlan verify --repair --from https://mirror.example.org\n  wenlan verify --repair --from /media/disk/library",
	}
	c.Flags().DurationVar(&req.Budget, "budget", 0, "how long to read blobs, such as 1h (default: until all are read)")
	c.Flags().BoolVar(&req.Repair, "repair", false, "mend what can be mended")
	c.Flags().StringArrayVar(&req.From, "from", nil, "with --repair, another copy: an address, or the folder of an export or of a library that is not served")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(req.From) > 0 && !req.Repair {
			return usageError{errors.New("--from goes with --repair")}
		}
		cfg, err := e.config()
		if err != nil {
			return err
		}
		var failed error
		sum, err := app.VerifyLibrary(cmd.Context(), cfg, req, e.log(), func(p app.Problem) {
			if e.json {
				failed = e.print(p)
				return
			}
			e.say(p.Part + " " + p.Name + ": " + p.What)
			if p.Mend != "" {
				e.say("    → " + p.Mend)
			}
		})
		if err != nil && (!errs.Is(err, errs.Corrupt) || sum == app.Verified{}) {
			return err
		}
		if e.json {
			failed = e.print(sum)
		} else if !e.quiet || err != nil {
			p := e.printer()
			e.note(p.T("cli.verify.sum", p.Number(sum.Entries), p.Number(sum.Erased), p.Number(sum.Blobs), p.Bytes(sum.Bytes)))
			if !sum.Complete {
				e.note(p.T("cli.verify.later"))
			}
			if sum.Mended > 0 {
				e.note(p.N("cli.verify.mended", sum.Mended))
			}
			if sum.Problems == 0 {
				e.note(p.T("cli.verify.clean"))
			}
		}
		if failed != nil {
			return failed
		}
		return err
	}
	return c
}
