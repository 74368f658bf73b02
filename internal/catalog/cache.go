package catalog

import (
	"container/list"
	"sync"

	"wenlan/internal/record"
)

// cache keeps the states that were folded last, up to a number of bytes of the
// entries they were folded from.
type cache struct {
	mu    sync.Mutex
	max   int
	size  int
	epoch int64 // grows with each forget, so that a state folded before it is not put after it
	order *list.List
	items map[int64]*list.Element
}

type cached struct {
	n     int64
	state *record.State
	size  int
}

func newCache(max int) *cache {
	return &cache{max: max, order: list.New(), items: map[int64]*list.Element{}}
}

// get is the cached state, or the epoch to give to put.
func (c *cache) get(n int64) (*record.State, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.items[n]; ok {
		c.order.MoveToFront(el)
		return el.Value.(*cached).state, c.epoch
	}
	return nil, c.epoch
}

// put keeps a state that was folded since get gave the epoch.
func (c *cache) put(n int64, st *record.State, bytes int, epoch int64) {
	size := bytes + 512 // the bytes of its entries, and the structures around them
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch || size > c.max/4 {
		return
	}
	if el, ok := c.items[n]; ok {
		c.drop(el)
	}
	c.items[n] = c.order.PushFront(&cached{n, st, size})
	c.size += size
	for c.size > c.max {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(el *list.Element) {
	item := c.order.Remove(el).(*cached)
	delete(c.items, item.n)
	c.size -= item.size
}

func (c *cache) forget(numbers []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for _, n := range numbers {
		if el, ok := c.items[n]; ok {
			c.drop(el)
		}
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.order.Init()
	clear(c.items)
	c.size = 0
}
