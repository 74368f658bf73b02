package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"

	"wenlan/internal/durable"
)

// Results keeps what audits have found: the last MaxResults, in a file of one JSON
// object a line. All methods may be called at once, in one process.
type Results struct {
	fs   durable.FS
	name string

	mu   sync.Mutex
	list []Result // the oldest first
}

// MaxResults is how many results are kept.
const MaxResults = 2000

// maxResultsFile bounds the file, in bytes; a line has at most some 2 KB.
const maxResultsFile = 8 << 20

// OpenResults reads the file, which need not be there. A line that cannot be read
// is passed over: what audits found can be found again.
func OpenResults(fsys durable.FS, name string) (*Results, error) {
	r := &Results{fs: fsys, name: name}
	data, err := durable.ReadFile(fsys, name, maxResultsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxResultsFile)
	for lines.Scan() {
		var res Result
		if json.Unmarshal(lines.Bytes(), &res) == nil && res.Address != "" {
			r.list = append(r.list, res)
		}
	}
	r.list = r.list[max(len(r.list)-MaxResults, 0):]
	return r, lines.Err()
}

// Add keeps results; they are durable on return.
func (r *Results) Add(list ...Result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(r.list[:len(r.list):len(r.list)], list...)
	all = all[max(len(all)-MaxResults, 0):]
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, res := range all {
		if len(res.Note) > 500 {
			res.Note = res.Note[:500]
		}
		if err := enc.Encode(res); err != nil {
			return err
		}
	}
	if err := durable.MkdirAll(r.fs, filepath.Dir(r.name), 0o700); err != nil {
		return err
	}
	if err := durable.WriteFile(r.fs, r.name, out.Bytes(), 0o600); err != nil {
		return err
	}
	r.list = all
	return nil
}

// Last is the last result of each mirror, by its address.
func (r *Results) Last() map[string]Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := map[string]Result{}
	for _, res := range r.list {
		last[res.Address] = res
	}
	return last
}
