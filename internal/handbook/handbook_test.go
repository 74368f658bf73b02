package handbook

import (
	"archive/zip"
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	text "wenlan/handbook"
	"wenlan/internal/format"
	"wenlan/internal/record"
)

func books(t *testing.T) []Book {
	t.Helper()
	list, err := Books()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(editions) {
		t.Fatalf("%d books", len(list))
	}
	return list
}

func TestSameBytes(t *testing.T) {
	first, second := books(t), books(t)
	for i := range first {
		if !bytes.Equal(first[i].Data, second[i].Data) {
			t.Errorf("%s differs from one build to the next", first[i].Name)
		}
	}
}

// TestOCF holds the rules for the first file of the archive (OCF 3.3, 4.3.2).
func TestOCF(t *testing.T) {
	for _, b := range books(t) {
		if !bytes.HasPrefix(b.Data[30:], []byte("mimetypeapplication/epub+zip")) || b.Data[6]&8 != 0 {
			t.Errorf("%s does not begin with its media type", b.Name)
		}
		z, err := zip.NewReader(bytes.NewReader(b.Data), int64(len(b.Data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			if f.Method != zip.Store || len(f.Extra) != 0 {
				t.Errorf("%s: %s is packed or has extra fields", b.Name, f.Name)
			}
		}
	}
}

func TestEPUBCheck(t *testing.T) {
	cmd := []string{"epubcheck"}
	if jar := "/usr/share/java/epubcheck.jar"; exists(jar) { // Debian's; its command needs the kernel to know jar files
		cmd = []string{"java", "-jar", jar}
	}
	if _, err := exec.LookPath(cmd[0]); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("epubcheck is not installed")
		}
		t.Skip("epubcheck is not installed")
	}
	dir := t.TempDir()
	for _, b := range books(t) {
		name := filepath.Join(dir, b.Name)
		if err := os.WriteFile(name, b.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(cmd[0], append(cmd[1:], "--failonwarnings", name)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", b.Name, err, out)
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

type file struct{ *bytes.Reader }

func TestReadBack(t *testing.T) {
	for i, b := range books(t) {
		f := file{bytes.NewReader(b.Data)}
		doc, err := format.Parse(context.Background(), b.Name, f)
		if err != nil {
			t.Fatalf("%s: %v", b.Name, err)
		}
		e, r := editions[i], doc.Record
		if r.Title != e.title || len(r.Creators) != 1 || r.Creators[0].Name != e.creator || r.Publisher != e.creator {
			t.Errorf("%s: record %+v", b.Name, r)
		}
		if len(r.Languages) != 1 || r.Languages[0] != e.lang || r.Abstract != e.description || r.Issued != e.date || len(r.Subjects) != len(e.subjects) {
			t.Errorf("%s: record %+v", b.Name, r)
		}
		if len(r.IDs) != 1 || r.IDs[0] != (record.ID{Scheme: "uuid", Value: e.uuid}) {
			t.Errorf("%s: ids %v", b.Name, r.IDs)
		}
		if doc.Rights == nil || doc.Rights.Basis != record.Licence || doc.Rights.Licence != "CC-BY-SA-4.0" {
			t.Errorf("%s: rights %+v", b.Name, doc.Rights)
		}
		if doc.Cover == nil || doc.Cover.MediaType != "image/png" || len(doc.Warnings) != 0 {
			t.Errorf("%s: cover %v, warnings %q", b.Name, doc.Cover != nil, doc.Warnings)
		}
		n, letters := 0, 0
		err = format.Chapters(context.Background(), f, doc.MediaType, func(c format.Chapter) error {
			n++
			letters += len([]rune(c.Text))
			return nil
		})
		if err != nil || n < 13 || letters < 8000 {
			t.Errorf("%s: %d chapters with %d letters, %v", b.Name, n, letters, err)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)]+)\)`)

// TestText holds the two editions to the same chapters, and their links to
// chapters that are there.
func TestText(t *testing.T) {
	names := map[string][]string{}
	for _, e := range editions {
		files, err := fs.Glob(text.Files, e.folder+"/*.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			names[e.folder] = append(names[e.folder], filepath.Base(name))
			src, err := fs.ReadFile(text.Files, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllSubmatch(src, -1) {
				to, _, _ := strings.Cut(string(m[1]), "#")
				if strings.Contains(to, "://") {
					continue
				}
				if _, err := fs.Stat(text.Files, e.folder+"/"+to); err != nil {
					t.Errorf("%s links to %s, which is not there", name, to)
				}
			}
		}
	}
	if en, zh := strings.Join(names["en"], " "), strings.Join(names["zh"], " "); en != zh {
		t.Errorf("chapters differ: %s; %s", en, zh)
	}
}
