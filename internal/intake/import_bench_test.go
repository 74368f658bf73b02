package intake_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/format"
	"wenlan/internal/intake"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
	"wenlan/internal/view"
)

// only appends to a register that the catalogue alone follows.
type only struct {
	l     *app.Library
	views *view.Follower
}

func (o only) Append(ctx context.Context, entries [][]byte) (int64, error) {
	first, err := o.l.Register.Append(ctx, entries)
	if err != nil {
		return 0, err
	}
	return first, o.views.Catch(ctx)
}

func catalogOnly(t testing.TB, l *app.Library) only {
	t.Helper()
	body := func(context.Context, record.Body) ([]byte, error) { return nil, os.ErrNotExist }
	views, err := view.New(view.Config{Source: l.Register, Body: body, Views: []view.Node{{View: l.Catalog}}})
	if err != nil {
		t.Fatal(err)
	}
	return only{l, views}
}

// BenchmarkImport imports the real records of arXiv into a register that only the
// catalogue follows, and then once more, when all are known.
func BenchmarkImport(b *testing.B) {
	file := filepath.Join(testdata.Dir(b), "records", "arxiv.jsonl.zst")
	form, err := format.FindBulk("simple")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cfg := app.Config{Data: filepath.Join(b.TempDir(), "lib")}
		if _, err := app.Init(b.Context(), cfg); err != nil {
			b.Fatal(err)
		}
		l, err := app.Open(b.Context(), cfg, app.Own, nil)
		if err != nil {
			b.Fatal(err)
		}
		in := intake.New(intake.Config{Register: catalogOnly(b, l), Blobs: l.Blobs, Known: l.Catalog})
		for _, unit := range []string{"new/s", "known/s"} {
			start := time.Now()
			sum, err := in.Import(b.Context(), form, []intake.ImportFile{{Path: file}}, intake.ImportOptions{}, func(intake.Outcome) {}, nil)
			if err != nil || sum.Added+sum.Known < 90_000 {
				b.Fatal(sum, err)
			}
			b.ReportMetric(float64(sum.Added+sum.Known)/time.Since(start).Seconds(), unit)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
