package harvest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/format"
)

// OAIRequest says what to harvest from an OAI-PMH server.
type OAIRequest struct {
	URL    string // the base URL
	Source string // name of the source, under which the state is kept; "": SourceName(URL)
	Set    string
	Prefix string // metadataPrefix; default oai_dc
	// From and Until bound the datestamps: YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ, in UTC.
	// From "" goes on where the last whole harvest of the same ended.
	From, Until string
}

const (
	maxAnswer   = 64 << 20 // bytes of one answer, unpacked
	maxRestarts = 5        // of a list, without getting any further
	maxEmpty    = 1000     // answers without a record, one after another
	maxToken    = 4 << 10  // bytes of a resumption token; longer ones make no address
)

// OAI is a harvest of an OAI-PMH server. The form is oai.
//
// A list comes in parts, each with a token for the next. Where a token has expired the
// list is begun again: from the newest datestamp that has come, if all came in the
// order of their datestamps, else from the beginning; what comes twice is known. Next
// time it goes on from the newest datestamp, or from when this list was begun by the
// server's clock, whichever is earlier, so that what changed meanwhile is not missed.
type OAI struct {
	ctx    context.Context
	cfg    Config
	client *client
	req    OAIRequest
	form   *format.Bulk
	file   string // of the state
	days   bool   // the granularity is days

	buf      bytes.Buffer
	err      error // what Read gives once buf is empty
	page     oaiPlace
	tokens   map[[16]byte]bool // that have been used, of this list
	empty    int
	restarts int
	reached  string // the newest datestamp at the last restart
	given    int64  // records

	mu    sync.Mutex
	marks []oaiMark // places after which all records are given, in order
	state oaiState
	saved time.Time
}

// oaiPlace is where a list is.
type oaiPlace struct {
	Token    string `json:"token,omitempty"`  // of the next part; "": the first
	From     string `json:"from,omitempty"`   // as it was asked for
	Began    string `json:"began,omitempty"`  // responseDate of the first part
	Newest   string `json:"newest,omitempty"` // the newest datestamp that has come
	Unsorted bool   `json:"unsorted,omitempty"`
}

type oaiMark struct {
	given int64
	place oaiPlace
}

// oaiState is what is remembered. The file's name says what was asked for.
type oaiState struct {
	URL     string    `json:"url"`
	Set     string    `json:"set,omitempty"`
	Prefix  string    `json:"prefix"`
	Last    string    `json:"last,omitempty"`    // from when to ask next time
	Running *oaiPlace `json:"running,omitempty"` // a list that was not read to its end
	Into    into      `json:"into,omitzero"`
}

var oaiDate = regexp.MustCompile(`^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?$`)

// OpenOAI asks a server who it is, and finds out where the last harvest ended. The
// error is errs.Invalid where the request makes no sense, and otherwise says what is
// wrong with the server.
func OpenOAI(ctx context.Context, cfg Config, req OAIRequest) (*OAI, error) {
	cfg = cfg.withDefaults()
	base, err := checkAddress(req.URL)
	if err != nil {
		return nil, err
	}
	q := base.Query()
	for _, name := range []string{"verb", "metadataPrefix", "set", "from", "until", "resumptionToken", "identifier"} {
		q.Del(name)
	}
	base.RawQuery = q.Encode()
	c := newClient(cfg, base)
	req.URL = base.String()
	if req.Source == "" {
		req.Source = SourceName(req.URL)
	}
	if req.Prefix == "" {
		req.Prefix = "oai_dc"
	}
	for _, d := range []string{req.From, req.Until} {
		if d != "" && !oaiDate.MatchString(d) {
			return nil, errs.New(errs.Invalid, "%.40q is not a date: 2024-01-31 or 2024-01-31T12:00:00Z", d)
		}
	}
	if req.From != "" && req.Until != "" && req.From[:10] > req.Until[:10] {
		return nil, errs.New(errs.Invalid, "%s is after %s", req.From, req.Until)
	}
	form, err := format.FindBulk("oai")
	if err != nil {
		return nil, err
	}
	o := &OAI{ctx: ctx, cfg: cfg, client: c, req: req, form: form, tokens: map[[16]byte]bool{}}
	p, err := o.ask(url.Values{"verb": {"Identify"}})
	if err != nil {
		return nil, err
	}
	if p.Identify == nil {
		return nil, errs.New(errs.Refused, "%s is no OAI-PMH server: it does not say who it is", show(base))
	}
	o.days = !strings.Contains(p.Identify.Granularity, "T")
	o.file = cfg.stateFile(req.Source, "oai", req.URL, req.Set, req.Prefix)
	o.state = load[oaiState](cfg, o.file)
	if same, err := cfg.holds(o.state.Into); err != nil {
		return nil, err
	} else if !same {
		o.state = oaiState{}
	}
	o.state.URL, o.state.Set, o.state.Prefix = req.URL, req.Set, req.Prefix
	switch run := o.state.Running; {
	case req.From != "" || req.Until != "":
		o.page = oaiPlace{From: req.From}
	case run != nil:
		o.page = *run
	default:
		o.page = oaiPlace{From: o.state.Last}
	}
	return o, nil
}

// Form implements Harvest.
func (o *OAI) Form() *format.Bulk { return o.form }

// Read implements Harvest.
func (o *OAI) Read(p []byte) (int, error) {
	for o.buf.Len() == 0 {
		if o.err != nil {
			return 0, o.err
		}
		o.err = o.next()
	}
	return o.buf.Read(p)
}

// granular is a date as the server takes it.
func (o *OAI) granular(date string, end bool) string {
	switch {
	case o.days && len(date) > 10:
		return date[:10]
	case !o.days && len(date) == 10 && end:
		return date + "T23:59:59Z"
	case !o.days && len(date) == 10:
		return date + "T00:00:00Z"
	}
	return date
}

// ask sends one request and reads the answer. One that makes no sense is asked again:
// servers break off.
func (o *OAI) ask(q url.Values) (*format.OAIPage, error) {
	base, err := url.Parse(o.req.URL)
	if err != nil {
		return nil, err
	}
	all := base.Query()
	for name, v := range q {
		all[name] = v
	}
	base.RawQuery = all.Encode()
	var page *format.OAIPage
	err = o.client.try(o.ctx, func() error {
		data, _, _, err := o.client.page(o.ctx, base.String(), nil, maxAnswer)
		if err != nil {
			return err
		}
		if page, err = format.ReadOAI(data); err != nil {
			err = errs.New(errs.KindOf(err), "%s: %w", show(base), err)
			if errs.Is(err, errs.Corrupt) {
				return errPasses{error: err}
			}
		}
		if err == nil && q.Get("verb") == "ListRecords" && !page.List && page.ErrorCode == "" {
			err = errPasses{error: errs.New(errs.Corrupt, "%s: the answer is cut short: it holds no list", show(base))}
		}
		return err
	})
	return page, err
}

// next gets the next part of the list.
func (o *OAI) next() error {
	q := url.Values{"verb": {"ListRecords"}}
	if o.page.Token != "" {
		q.Set("resumptionToken", o.page.Token) // exclusive: section 3.5
	} else {
		q.Set("metadataPrefix", o.req.Prefix)
		if o.req.Set != "" {
			q.Set("set", o.req.Set)
		}
		if o.page.From != "" {
			q.Set("from", o.granular(o.page.From, false))
		}
		if o.req.Until != "" {
			q.Set("until", o.granular(o.req.Until, true))
		}
	}
	p, err := o.ask(q)
	if err != nil {
		return err
	}
	switch p.ErrorCode {
	case "":
	case "noRecordsMatch":
		if o.page.Token != "" {
			return o.again("its list ends without an end")
		}
		return io.EOF
	case "badResumptionToken":
		return o.again(fmt.Sprintf("the token %.60q has expired", o.page.Token))
	case "cannotDisseminateFormat":
		return errs.WithHint(errs.New(errs.Refused, "%s has no records in the form %s", o.req.URL, o.req.Prefix), o.prefixes())
	default:
		if o.page.Token != "" { // not every server says badResumptionToken
			return o.again(fmt.Sprintf("the server answers %s to the token %.60q", p.ErrorCode, o.page.Token))
		}
		return errs.New(errs.Refused, "%s answers an error, %s: %s", o.req.URL, p.ErrorCode, p.ErrorText)
	}
	return o.take(p)
}

// prefixes names the forms that a server has.
func (o *OAI) prefixes() string {
	p, err := o.ask(url.Values{"verb": {"ListMetadataFormats"}})
	if err != nil || len(p.Prefixes) == 0 {
		return "ask it for another with --prefix"
	}
	return "it has: " + strings.Join(p.Prefixes, ", ")
}

// take gives what came.
func (o *OAI) take(p *format.OAIPage) error {
	if o.page.Began == "" {
		o.page.Began = p.Date
	}
	for i, raw := range p.Records {
		if raw == nil { // longer than any record may be
			raw = []byte("<record><header/></record>")
		}
		o.buf.Write(raw)
		o.buf.WriteByte('\n')
		if stamp := p.Datestamps[i]; oaiDate.MatchString(stamp) {
			if stamp < o.page.Newest {
				o.page.Unsorted = true
			} else {
				o.page.Newest = stamp
			}
		} else {
			o.page.Unsorted = true
		}
	}
	o.given += int64(len(p.Records))
	if len(p.Records) > 0 {
		o.empty = 0
	} else if o.empty++; o.empty > maxEmpty {
		return errs.New(errs.Unavailable, "%s sends one answer after another without a record", o.req.URL)
	}
	o.page.Token = p.Token
	if p.Token == "" {
		return io.EOF
	}
	if len(p.Token) > maxToken {
		return errs.New(errs.Refused, "%s gives a resumption token of %d bytes", o.req.URL, len(p.Token))
	}
	// The same token is the same part again (section 3.5): the list goes in a circle.
	sum := sha256.Sum256([]byte(p.Token))
	if key := [16]byte(sum[:16]); o.tokens[key] {
		return errs.New(errs.Corrupt, "the list of %s goes in a circle: the resumption token %.60q came twice", o.req.URL, p.Token)
	} else {
		o.tokens[key] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marks = append(o.marks, oaiMark{o.given, o.page})
	return nil
}

// again begins the list anew.
func (o *OAI) again(why string) error {
	if o.page.Newest != o.reached {
		o.restarts = 0
	}
	if o.restarts++; o.restarts > maxRestarts {
		return errs.New(errs.Unavailable, "the list of %s cannot be read to its end: %s, again and again", o.req.URL, why)
	}
	o.reached = o.page.Newest
	o.cfg.Log.InfoContext(o.ctx, "a list is begun again", "server", o.req.URL, "why", why)
	o.page.Token = ""
	clear(o.tokens)
	if !o.page.Unsorted && o.page.Newest != "" {
		o.page.From = o.page.Newest
	} else {
		o.page.Newest, o.page.Unsorted = "", false
	}
	return nil
}

// Durable implements Harvest.
func (o *OAI) Durable(records int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.advance(records) || o.cfg.Now().Sub(o.saved) < saveEvery {
		return
	}
	o.saved = o.cfg.Now()
	if err := o.save(); err != nil {
		o.cfg.Log.Warn("where a harvest is cannot be remembered", "error", err)
	}
}

// advance remembers the last place before which all is durable; o.mu is held.
func (o *OAI) advance(records int64) bool {
	i := slices.IndexFunc(o.marks, func(m oaiMark) bool { return m.given > records })
	if i < 0 {
		i = len(o.marks)
	}
	if i == 0 {
		return false
	}
	if o.req.From == "" && o.req.Until == "" { // else it is not the list that is gone on with
		place := o.marks[i-1].place
		o.state.Running = &place
	}
	o.marks = slices.Delete(o.marks, 0, i)
	return true
}

// Finish implements Harvest.
func (o *OAI) Finish(imported error) error {
	o.client.http.CloseIdleConnections()
	o.mu.Lock()
	defer o.mu.Unlock()
	if imported == nil && errors.Is(o.err, io.EOF) {
		o.state.Running = nil
		if last := o.page.last(); last > o.state.Last && o.req.Until == "" {
			o.state.Last = last
		}
	}
	return o.save()
}

// save remembers the state; o.mu is held.
func (o *OAI) save() (err error) {
	if o.state.Into, err = o.cfg.now(); err != nil {
		return err
	}
	return o.cfg.save(o.file, o.state)
}

// last is from when the next harvest asks.
func (p oaiPlace) last() string {
	if oaiDate.MatchString(p.Began) && p.Newest != "" && p.Began[:min(len(p.Began), len(p.Newest))] < p.Newest {
		return p.Began
	}
	return p.Newest
}
