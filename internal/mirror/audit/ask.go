package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/errs"
)

// Asked is a range with its right answer, which the auditor knows because it holds
// the blob itself.
type Asked struct {
	Range
	Digest string
}

// Mirror is a mirror to be audited.
type Mirror struct {
	Address string // URL, no final slash
	Key     string // its public key, as a verifier key
	All     bool   // it says that it holds everything that may be copied
}

// Result is what an audit of one mirror has found, as `audit --json` prints it.
type Result struct {
	Address string    `json:"mirror"`
	Time    time.Time `json:"time"`
	Asked   int       `json:"asked"` // ranges
	Right   int       `json:"right"`
	Wrong   int       `json:"wrong"`  // answered with another digest
	Absent  int       `json:"absent"` // not held there, or not given to everyone
	Passed  bool      `json:"passed"`
	Note    string    `json:"note,omitempty"` // what was found otherwise, one sentence
}

// Ask audits one mirror. It always gives a result: that a mirror cannot be reached,
// refuses or lies is one. A mirror has passed when it has shown at least one range
// and none wrong, and, where it says that it holds everything, all. One that wants to
// be asked later is, where ctx has a deadline that allows it.
func Ask(ctx context.Context, client *http.Client, library string, m Mirror, asked []Asked, now time.Time) Result {
	res := Result{Address: m.Address, Time: now.UTC().Truncate(time.Second), Asked: len(asked)}
	answer, err := ask(ctx, client, library, m, asked)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		res.Note = err.Error()
		return res
	}
	for i, digest := range answer.Digests {
		switch digest {
		case asked[i].Digest:
			res.Right++
		case "":
			res.Absent++
		default:
			res.Wrong++
		}
	}
	switch {
	case res.Wrong > 0:
		res.Note = fmt.Sprintf("%d of %d ranges had other bytes", res.Wrong, res.Asked)
	case res.Right == 0:
		res.Note = "it could show none of the files that it was asked for"
	case res.Absent > 0 && m.All:
		res.Note = fmt.Sprintf("it says that it holds everything, and could not show %d of %d ranges", res.Absent, res.Asked)
	default:
		res.Passed = true
	}
	return res
}

func ask(ctx context.Context, client *http.Client, library string, m Mirror, asked []Asked) (Answer, error) {
	key, err := note.NewVerifier(m.Key)
	if err != nil {
		return Answer{}, errs.New(errs.Invalid, "its key is not known, so nobody can say whose answer it is")
	}
	q := Question{Library: library}
	for _, a := range asked {
		q.Ranges = append(q.Ranges, a.Range)
	}
	if err := q.Check(); err != nil {
		return Answer{}, err
	}
	raw, err := json.Marshal(q)
	if err != nil {
		return Answer{}, err
	}
	for {
		body, wait, err := send(ctx, client, m, raw)
		if end, ok := ctx.Deadline(); err != nil && wait > 0 && ok && time.Until(end) > wait {
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
			}
		}
		if err != nil {
			return Answer{}, err
		}
		a, err := ParseAnswer(body, key)
		if err != nil {
			return Answer{}, err
		}
		// An old answer, or one to somebody else, has other nonces.
		if a.Library != library || !slices.Equal(a.Ranges, q.Ranges) {
			return Answer{}, errs.New(errs.Corrupt, "it answered another question")
		}
		return a, nil
	}
}

// send asks once. wait is how long a mirror that is asked too often wants to be
// left alone, if it says so.
func send(ctx context.Context, client *http.Client, m Mirror, raw []byte) (body []byte, wait time.Duration, err error) {
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Address+"/audit", bytes.NewReader(raw))
	if err != nil {
		return nil, 0, errs.New(errs.Invalid, "%q is not an address", m.Address)
	}
	post.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(post)
	if err != nil {
		return nil, 0, errs.New(errs.Unavailable, "it cannot be reached: %w", err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, 0, errs.New(errs.Unavailable, "its answer broke off: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		n, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, time.Duration(min(max(n, 0), 60)) * time.Second, errs.New(errs.Unavailable, "it has been asked too often just now")
	case resp.StatusCode != http.StatusOK:
		line, _, _ := strings.Cut(string(body), "\n")
		return nil, 0, errs.New(errs.Refused, "it answered %d: %.200q", resp.StatusCode, line)
	}
	return body, 0, nil
}

// Operators counts who has passed, each operator once however many addresses it
// has: two mirrors of one keeper are lost together.
func Operators(list []Result) int {
	who := map[string]bool{}
	for _, r := range list {
		if r.Passed {
			who[Operator(r.Address)] = true
		}
	}
	return len(who)
}

// Operator is who keeps the mirror at an address, as far as that tells: its host.
func Operator(address string) string {
	if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
		return strings.ToLower(u.Hostname())
	}
	return address
}
