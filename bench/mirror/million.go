package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wenlan/bench/index/gen"
	"wenlan/bench/measure"
)

// million mirrors a library of many records and no files, until the last of them is
// found by a search on the mirror.
func million(ctx context.Context, b *bench) error {
	data, err := b.withoutFiles(ctx)
	if err != nil {
		return err
	}
	register := filepath.Join(data, "register")
	size, err := folderBytes(register)
	if err != nil {
		return err
	}
	measure.Heading("Mirroring %d records without files, %.2f GB of register, until the last one is found", b.records, float64(size)/1e9)
	v, err := gen.Load()
	if err != nil {
		return err
	}
	last := strings.Split(string(v.Append(nil, b.records-1)), "\t")[gen.Identifier]
	origin, err := b.serve(ctx, data, "serve", "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer origin.Stop()
	want, err := checkpointSize(ctx, origin.Base)
	if err != nil {
		return err
	}
	var copied, found, ours, theirs, memory []float64
	for range b.runs {
		if err := b.prepare(data); err != nil {
			return err
		}
		err := func() error {
			dst := filepath.Join(b.tmp, "records")
			defer os.RemoveAll(dst)
			before, begin := origin.CPU(), time.Now()
			m, err := b.serve(ctx, dst, "mirror", origin.Base, "--no-files", "--listen", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer m.Stop()
			err = until(ctx, func() (bool, error) {
				n, err := checkpointSize(ctx, m.Base)
				return n >= want, err
			})
			if err != nil {
				return fmt.Errorf("the register did not come: %w", err)
			}
			copied = append(copied, time.Since(begin).Seconds())
			theirs = append(theirs, origin.CPU()-before)
			err = until(ctx, func() (bool, error) {
				var answer struct {
					Total int `json:"total"`
				}
				raw, err := get(ctx, m.Base+"/api/v1/search?q="+url.QueryEscape(last))
				if err == nil {
					err = json.Unmarshal(raw, &answer)
				}
				return answer.Total > 0, err
			})
			if err != nil {
				return fmt.Errorf("the last record is not found: %w", err)
			}
			found = append(found, time.Since(begin).Seconds())
			ours = append(ours, m.CPU())
			memory = append(memory, m.PeakMemory())
			return nil
		}()
		if err != nil {
			return err
		}
	}
	measure.Row("register copied, checked", "s", true, measure.Goal{}, measure.Side{Name: "wenlan", Runs: copied})
	measure.Row("searchable", "s", true, measure.Goal{Limit: 180}, measure.Side{Name: "wenlan", Runs: found})
	measure.Row("processor time", "s", true, measure.Goal{}, measure.Side{Name: "mirror", Runs: ours}, measure.Side{Name: "origin", Runs: theirs})
	measure.Row("most memory", "MB", true, measure.Goal{}, measure.Side{Name: "mirror", Runs: memory})
	return nil
}

// until asks ten times a second until it is so, for ten minutes at most. A mirror
// that has nothing yet answers with errors.
func until(ctx context.Context, so func() (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute)
	defer stop()
	for {
		ok, last := so()
		if ok {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%w (last: %v)", err, last)
		}
	}
}

// checkpointSize is how long a site says that its register is: the second line of
// a checkpoint (C2SP tlog-checkpoint).
func checkpointSize(ctx context.Context, base string) (int64, error) {
	raw, err := get(ctx, base+"/register/checkpoint")
	if err != nil {
		return 0, err
	}
	lines := strings.SplitN(string(raw), "\n", 3)
	if len(lines) < 3 {
		return 0, fmt.Errorf("not a checkpoint: %q", raw)
	}
	return strconv.ParseInt(lines[1], 10, 64)
}

func get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", address, resp.Status)
	}
	return raw, err
}
