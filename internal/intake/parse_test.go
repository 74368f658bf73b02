package intake

import (
	"log/slog"
	"strings"
	"testing"

	"wenlan/internal/errs"
)

// broken is a file that makes what reads it panic.
type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { panic("no such page") }
func (broken) Size() int64                       { return 100 }

// TestPanickingParser: a file that makes a parser panic is refused, and the log says where.
func TestPanickingParser(t *testing.T) {
	var log strings.Builder
	in := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	doc, err := in.read(t.Context(), "x.txt", broken{})
	if doc != nil || !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "no such page") {
		t.Error(doc, err)
	}
	if !strings.Contains(log.String(), "x.txt") || !strings.Contains(log.String(), "ReadAt") {
		t.Error(log.String())
	}
}
