package catalog

import (
	"testing"

	"wenlan/internal/record"
	"wenlan/internal/view/viewtest"
)

type refusal struct {
	number int64
	sha    string
}

func (r refusal) Record(n int64) *record.Withdrawal {
	if n != r.number {
		return nil
	}
	return &record.Withdrawal{Ground: "not here", Keeper: true}
}

func (r refusal) Blob(sha string) *record.Withdrawal {
	if sha != r.sha {
		return nil
	}
	return &record.Withdrawal{Ground: "not here", Blob: sha, Keeper: true}
}

// What a keeper refuses is shut by the one judge, and no row of the view tells.
func TestRefused(t *testing.T) {
	ctx := t.Context()
	reg := viewtest.New(t)
	plain := open(t, reg, t.TempDir())
	reg.Accession(record.Record{Title: "One"}, []record.File{file(1)}, openRights)
	two := reg.Accession(record.Record{Title: "Two"}, []record.File{file(2)}, openRights)
	three := reg.Accession(record.Record{Title: "Three"}, []record.File{file(3)}, openRights)
	c, err := Open(ctx, Config{Dir: t.TempDir(), Source: reg, Body: reg.Body, Refused: refusal{two, sha(3)}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	catch(t, follower(t, reg, plain, 0))
	catch(t, follower(t, reg, c, 0))
	if dump(t, c) != dump(t, plain) {
		t.Error("a refusal changed the view")
	}
	for n, read := range map[int64]bool{two - 1: true, two: false, three: false} {
		for range 2 { // folded, and from the cache
			st, err := c.Record(ctx, n)
			if err != nil {
				t.Fatal(err)
			}
			ws, err := c.BlobWithdrawals(ctx, st.Files[0].SHA256)
			if err != nil {
				t.Fatal(err)
			}
			d := record.Decide(record.Question{State: st, BlobWithdrawals: ws})
			if d.Read != read || !read && (d.Withdrawal == nil || !d.Withdrawal.Keeper || len(st.Withdrawals)+len(ws) != 1) {
				t.Errorf("record %d: %+v", n, d)
			}
		}
	}
}
