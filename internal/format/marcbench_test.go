package format

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"wenlan/internal/testdata"
)

func marcSample(b *testing.B) []byte {
	data, err := os.ReadFile(filepath.Join(testdata.Dir(b), "interop", "marc", "test_data.utf8.mrc"))
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func BenchmarkMARCSplit(b *testing.B) {
	data := bytes.Repeat(marcSample(b), 200)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		for e := newMARC(bytes.NewReader(data)); ; {
			if _, _, err := e.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkMARCParse(b *testing.B) {
	data := marcSample(b)
	form, _ := FindBulk("marc")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for e := newMARC(bytes.NewReader(data)); ; {
			raw, _, err := e.Next()
			if err != nil {
				break
			}
			form.Parse(raw)
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
