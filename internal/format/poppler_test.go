package format

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wenlan/internal/errs"
)

func poppler(t *testing.T) *Poppler {
	t.Helper()
	p := FindPoppler()
	if p == nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("poppler-utils is not installed")
		}
		t.Skip("poppler-utils is not installed")
	}
	return p
}

func TestPopplerCoverAndText(t *testing.T) {
	p := poppler(t)
	dir, list := papers(t)
	for i, paper := range list {
		if i%15 != 0 {
			continue
		}
		name := filepath.Join(dir, paper.File)
		cover, err := p.Cover(context.Background(), name)
		if err != nil || cover.MediaType != "image/jpeg" || len(cover.Data) < 5000 || len(cover.Data) > 1<<20 {
			t.Errorf("%s: cover: %v", paper.File, err)
		}
		text, err := p.Text(context.Background(), name, 0)
		if err != nil || len(text) != paper.Pages {
			t.Errorf("%s: %d pages of text, want %d, %v", paper.File, len(text), paper.Pages, err)
		}
		if first, err := p.Text(context.Background(), name, 1); err != nil || len(first) != 1 {
			t.Errorf("%s: %d pages of text, want 1, %v", paper.File, len(first), err)
		}
	}
}

// TestPopplerBounds gives poppler what it cannot read, and what asks too much.
func TestPopplerBounds(t *testing.T) {
	p := poppler(t)
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"-opw":     []byte("not a PDF"),
		"huge.pdf": buildPDF("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/MediaBox[0 0 1 900000]>>"),
		"bomb.pdf": buildPDF("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids["+strings.Repeat("3 0 R ", 20000)+"]/Count 20000>>", "<</Type/Page/MediaBox[0 0 20000 20000]>>"),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if cover, err := p.Cover(context.Background(), path); err != nil && !errs.Is(err, errs.Refused) {
			t.Errorf("%s: %v", name, err)
		} else if err == nil && len(cover.Data) > MaxCover {
			t.Errorf("%s: a cover of %d bytes", name, len(cover.Data))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Text(ctx, filepath.Join(dir, "huge.pdf"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestPopplerOutput holds the bound on what a tool may write.
func TestPopplerOutput(t *testing.T) {
	p := poppler(t)
	yes, err := filepath.Abs("/usr/bin/yes")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.run(context.Background(), "x", 1<<16, yes); !errs.Is(err, errs.Refused) {
		t.Errorf("endless output: %v", err)
	}
}
