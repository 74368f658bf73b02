// Package archtest holds the source to the tables of ARCHITECTURE.md: which
// package may import which, and which modules are used at all.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

var cell = regexp.MustCompile("`([^`]+)`")

// section returns the lines of a section of ARCHITECTURE.md.
func section(t *testing.T, title string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "\n## "+title+"\n")
	if !ok {
		t.Fatalf("ARCHITECTURE.md has no section %q", title)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return strings.Split(rest, "\n")
}

type use struct {
	file string
	test bool
	pkg  string // below internal, or the folder itself
	path string
}

// helper reports whether a package serves tests only: its folder is testdata, or
// its name ends in "test".
func helper(pkg string) bool {
	name := path.Base(pkg)
	return name == "testdata" || strings.HasSuffix(name, "test")
}

// imports reads every Go file of the repository.
func imports(t *testing.T) []use {
	t.Helper()
	var out []use
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "node_modules" || name == ".git" || name == ".cache" || name == "tools" {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(p) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(rel)), "internal/")
		for _, im := range f.Imports {
			test := strings.HasSuffix(p, "_test.go") || helper(pkg)
			out = append(out, use{filepath.ToSlash(rel), test, pkg, strings.Trim(im.Path.Value, `"`)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d imports found", len(out))
	}
	return out
}

// TestImports holds every import of one package by another to the table of the
// section "Packages". A folder below a package belongs to it. Tests, and the
// packages that serve only them, may import anything; what ships may not import
// those.
func TestImports(t *testing.T) {
	may := map[string][]string{}
	for _, line := range section(t, "Packages") {
		cols := strings.Split(line, "|")
		if len(cols) != 5 || strings.Contains(cols[1], "---") || strings.TrimSpace(cols[1]) == "package" {
			continue
		}
		may[strings.TrimSpace(cols[1])] = strings.Fields(strings.TrimSpace(cols[3]))
	}
	if len(may) < 10 {
		t.Fatalf("the table of packages has only %d rows", len(may))
	}
	for _, u := range imports(t) {
		other, ours := strings.CutPrefix(u.path, "wenlan/internal/")
		if !ours || u.test {
			continue
		}
		if helper(other) {
			t.Errorf("%s: %s serves tests only", u.file, u.path)
			continue
		}
		other, _, _ = strings.Cut(other, "/")
		pkg, _, _ := strings.Cut(u.pkg, "/")
		if pkg == other {
			continue
		}
		allowed, known := may[pkg]
		if !known {
			t.Errorf("%s: the package %s is not in the table", u.file, pkg)
			continue
		}
		if !slices.Contains(allowed, other) && !slices.Contains(allowed, "all") {
			t.Errorf("%s: %s may not import %s", u.file, pkg, other)
		}
	}
}

// TestModules holds the modules in use to the table of the section "Dependencies".
func TestModules(t *testing.T) {
	var allowed []string
	for _, line := range section(t, "Dependencies") {
		if strings.HasPrefix(line, "|") {
			for _, m := range cell.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
				allowed = append(allowed, m[1])
			}
		}
	}
	used := map[string]bool{}
	for _, u := range imports(t) {
		first, _, _ := strings.Cut(u.path, "/")
		if !strings.Contains(first, ".") {
			continue // the standard library, or ours
		}
		i := slices.IndexFunc(allowed, func(m string) bool { return u.path == m || strings.HasPrefix(u.path, m+"/") })
		if i < 0 {
			t.Errorf("%s: the module of %s is not in the table", u.file, u.path)
			continue
		}
		used[allowed[i]] = true
	}
	for _, m := range allowed {
		if !used[m] {
			t.Errorf("the table lists %s, which nothing uses", m)
		}
	}
}
