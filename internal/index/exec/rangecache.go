package exec

import (
	"container/list"
	"sync"
	"weak"

	"wenlan/internal/index/segment"
)

// rangeCache keeps what was collected of ranges that are dear to collect, the last used
// ones. A segment never changes, and it is not held by its entries.
type rangeCache struct {
	mu      sync.Mutex
	limit   int // bytes
	size    int
	entries map[rangeKey]*list.Element // of *rangeEntry
	used    list.List                  // the last used first
}

// rangeKey names a list, or the words when it has no fields. A model is one of a few
// constants of the program.
type rangeKey struct {
	of     weak.Pointer[segment.Reader]
	text   string
	fields uint8
	part   bool // words are left out of the list, to be read on their own
	model  *Model
}

type sized interface{ size() int }

type rangeEntry struct {
	key rangeKey
	g   sized // *rangeWords or *ranged
}

const dearRange = 256 // work from which a range is kept

// The cache's limit: as much as the title lists of most prefixes take, within bounds that a machine for a
// library of that size can afford.
const (
	leastCache  = 64 << 20 // bytes
	mostCache   = 512 << 20
	cachePerDoc = 32
)

var ranges = rangeCache{limit: leastCache, entries: map[rangeKey]*list.Element{}}

// grow raises the limit to that of a library of so many documents.
func (c *rangeCache) grow(docs int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = max(c.limit, int(min(cachePerDoc*docs, mostCache)))
}

func (c *rangeCache) get(k rangeKey) sized {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[k]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*rangeEntry).g
}

func (c *rangeCache) put(k rangeKey, g sized) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[k] != nil || g.size() > c.limit/4 {
		return
	}
	c.entries[k] = c.used.PushFront(&rangeEntry{k, g})
	c.size += g.size()
	for c.size > c.limit {
		e := c.used.Remove(c.used.Back()).(*rangeEntry)
		delete(c.entries, e.key)
		c.size -= e.g.size()
	}
}
