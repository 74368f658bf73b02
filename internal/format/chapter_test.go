package format

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"wenlan/internal/errs"
)

// TestChapterAt holds one chapter alone to what all of them are.
func TestChapterAt(t *testing.T) {
	ctx := context.Background()
	pdf, err := os.ReadFile("testdata/pdf/open-aes-128.pdf")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("Chapter 1\n\nIt was a dark night.\n\nChapter 2\n\nIt was a bright day.\n\n", 3)
	for _, c := range []struct {
		mediaType string
		data      []byte
	}{
		{MediaEPUB, makeEPUB(t, plainMetadata)},
		{MediaPDF, pdf},
		{MediaText + "; charset=utf-8", []byte(text)},
		{MediaMarkdown, []byte("# One\n\ntext\n\n## Two\n\nmore\n")},
	} {
		list := chaptersOf(t, c.data, c.mediaType)
		if len(list) == 0 {
			t.Fatalf("%s: no chapters", c.mediaType)
		}
		for _, want := range list {
			got, err := ChapterAt(ctx, bytes.NewReader(c.data), c.mediaType, want.Index)
			if err != nil || got != want {
				t.Errorf("%s: chapter %d is %+v, %v", c.mediaType, want.Index, got, err)
			}
			if place, err := Place(bytes.NewReader(c.data), c.mediaType, want.Index); err != nil || place != want.Href {
				t.Errorf("%s: chapter %d is at %q, %v, want %q", c.mediaType, want.Index, place, err, want.Href)
			}
		}
		for _, none := range []int{-1, 1 << 30} {
			if _, err := ChapterAt(ctx, bytes.NewReader(c.data), c.mediaType, none); !errs.Is(err, errs.NotFound) {
				t.Errorf("%s: chapter %d: %v", c.mediaType, none, err)
			}
		}
	}
	if _, err := ChapterAt(ctx, bytes.NewReader(nil), "image/png", 0); !errs.Is(err, errs.Refused) {
		t.Error(err)
	}
}
