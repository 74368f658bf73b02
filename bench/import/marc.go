package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"wenlan/bench/measure"
)

// zebraConfig is that of Debian's example for MARC 21, in
// /usr/share/doc/idzebra-2.0/examples/marc21, with the paths of this machine and, as
// people have who run it, more memory than its default of 4 MB.
const zebraConfig = `profilePath: /usr/share/idzebra-2.0/tab
modulePath: %s
attset: bib1.att
attset: explain.att
recordType: grs.marcxml.marc21
register: %s/register:100G
memmax: 512
`

// zebraModules are where Debian puts the filters, by architecture.
func zebraModules() string {
	found, _ := filepath.Glob("/usr/lib/*/idzebra-2.0/modules")
	if len(found) == 0 {
		return "/usr/lib/idzebra-2.0/modules"
	}
	return found[0]
}

// zebra indexes a file of MARC with zebraidx.
func (b *bench) zebra(ctx context.Context, file string) (float64, error) {
	dir := filepath.Join(b.tmp, "zebra")
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(filepath.Join(dir, "register"), 0o755); err != nil {
		return 0, err
	}
	config := filepath.Join(dir, "zebra.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, zebraConfig, zebraModules(), dir), 0o644); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, "zebraidx", "-c", config, "-n", "update", file)
	cmd.Dir = dir
	cost, _, err := measure.Timed(cmd)
	return cost.Wall, err
}

// fromMARC takes in the records from MARC, beside zebraidx.
func fromMARC(ctx context.Context, b *bench) error {
	file, err := b.file(b.records, "mrc")
	if err != nil {
		return err
	}
	measure.Heading("%d records from MARC, beside zebraidx", b.records)
	var ours, theirs, memory []float64
	_, missing := exec.LookPath("zebraidx")
	for range b.runs {
		data := filepath.Join(b.tmp, "marc")
		t, err := b.take(ctx, data, "marc", file, b.records)
		if err != nil {
			return err
		}
		ours, memory = append(ours, t.Wall), append(memory, t.anon)
		if err := remove(data); err != nil {
			return err
		}
		if missing == nil {
			wall, err := b.zebra(ctx, file)
			if err != nil {
				return err
			}
			theirs = append(theirs, wall)
		}
	}
	measure.Row("time", "s", true, measure.Goal{Ratio: 3}, measure.Side{Name: "wenlan", Runs: ours}, measure.Side{Name: "zebraidx", Runs: theirs})
	measure.Row("most anonymous memory", "MB", true, measure.Goal{Limit: 1610}, measure.Side{Name: "wenlan", Runs: memory})
	return nil
}
