package app

import (
	"os"
	"runtime/debug"
	"sync"
)

// importMemory is what an import lets the heap grow to before it collects garbage as
// often as at other times.
const importMemory = 1200 << 20

// room collects garbage less often while there are imports, which it otherwise costs
// a tenth of their time.
type room struct {
	mu      sync.Mutex
	imports int
	percent int // as it was before them
	limit   int64
}

// take begins an import, and the call that it returns ends it. It does nothing where
// GOGC or GOMEMLIMIT say how it is to be.
func (r *room) take() func() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.imports++; r.imports == 1 {
		r.percent, r.limit = debug.SetGCPercent(300), debug.SetMemoryLimit(importMemory)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.imports--; r.imports == 0 {
			debug.SetGCPercent(r.percent)
			debug.SetMemoryLimit(r.limit)
		}
	}
}
