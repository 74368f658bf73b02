package web

import (
	"context"
	"net/http"

	"wenlan/internal/index"
	"wenlan/internal/register"

	"golang.org/x/mod/sumdb/tlog"
)

// lying is a register whose leaves are not what it published.
type lying struct{ *register.Register }

func (lying) LeafHash(int64) (tlog.Hash, error) { return tlog.RecordHash([]byte("a lie")), nil }

// failing is an index that cannot answer.
type failing struct{ err error }

func (f failing) Search(context.Context, index.Query) (*index.Result, error) { return nil, f.err }

func (f failing) Headings(context.Context, index.HeadingQuery) (*index.HeadingList, error) {
	return nil, f.err
}
func (f failing) Classes(context.Context, string, string) ([]index.ClassCount, error) {
	return nil, f.err
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// recorder notes whether anything was answered.
type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return len(b), nil
}

func (failing) Cursor() int64 { return 0 }
