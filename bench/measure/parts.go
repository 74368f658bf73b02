package measure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Part is one section of a report, about B, the run that it belongs to.
type Part[B any] struct {
	Name  string
	Needs []string // programs without which it is left out
	Run   func(context.Context, B) error
}

// RunParts runs in turn the parts that only names, separated by commas, or all if it
// is empty. A part that fails is named and the others go on.
func RunParts[B any](ctx context.Context, b B, parts []Part[B], only string) error {
	failed := 0
	for _, p := range parts {
		if only != "" && !strings.Contains(","+only+",", ","+p.Name+",") {
			continue
		}
		if missing := absent(p.Needs); missing != "" {
			fmt.Printf("\n%s: %s is not installed, left out\n", p.Name, missing)
			continue
		}
		if err := p.Run(ctx, b); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Printf("  %s: %v\n", p.Name, err)
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d parts could not be measured", failed)
	}
	return nil
}

// absent is the first of some programs that is not there.
func absent(programs []string) string {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return p
		}
	}
	return ""
}

// Binary is the whole path of the wenlan binary to measure, which must be there.
func Binary(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no wenlan binary at %s: run `make build` first", name)
	}
	return path, nil
}

// Folder makes the folder of one run below dir, which is kept. done removes it, but where
// keep says that people want to look into it.
func Folder(dir string, keep bool) (abs, run string, done func(), err error) {
	if abs, err = filepath.Abs(dir); err != nil {
		return "", "", nil, err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return "", "", nil, err
	}
	if run, err = os.MkdirTemp(abs, "run-"); err != nil {
		return "", "", nil, err
	}
	if keep {
		fmt.Println("working in", run)
		return abs, run, func() {}, nil
	}
	return abs, run, func() { _ = os.RemoveAll(run) }, nil
}
