package exec

import (
	"container/list"
	"context"
	"runtime"
	"sync"
	"time"
)

// Gate bounds how many heavy queries run at once, so that light ones never wait behind
// them. Every query begins without it; one that has done freeWork takes a place, waiting
// for it within its deadline, and gives it back when it ends, or has done turnWork and
// others wait. Those that come for the first time go before those that come again: the
// shorter ones end first.
type Gate struct {
	mu   sync.Mutex
	free int
	turn int
	wait [2]list.List // of chan struct{}: for the first time, and again
}

// NewGate makes a gate for n heavy queries at once; below 1 it is half of the processors,
// at least one.
func NewGate(n int) *Gate {
	if n < 1 {
		n = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return &Gate{free: n}
}

// leave gives a place to the next in line.
func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn++
	for i := range g.wait {
		line := &g.wait[i]
		if g.turn%3 == 0 { // but nobody starves
			line = &g.wait[1-i]
		}
		if e := line.Front(); e != nil {
			close(line.Remove(e).(chan struct{}))
			return
		}
	}
	g.free++
}

// yield gives a place back when another waits for it.
func (g *Gate) yield() bool {
	g.mu.Lock()
	waiting := g.wait[0].Len()+g.wait[1].Len() > 0
	g.mu.Unlock()
	if waiting {
		g.leave()
	}
	return waiting
}

// enter takes a place; false when stop or done came first.
func (g *Gate) enter(again bool, stop <-chan time.Time, done <-chan struct{}) bool {
	line := &g.wait[0]
	if again {
		line = &g.wait[1]
	}
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return true
	}
	ready := make(chan struct{})
	e := line.PushBack(ready)
	g.mu.Unlock()
	select {
	case <-ready:
		return true
	case <-stop:
	case <-done:
	}
	g.mu.Lock()
	select {
	case <-ready: // meanwhile it was given
		g.mu.Unlock()
		g.leave()
	default:
		line.Remove(e)
		g.mu.Unlock()
	}
	return false
}

const (
	freeWork  = 300_000 // work before a query counts as heavy: a millisecond or two
	turnWork  = 500_000 // work for one stay in the gate
	checkWork = 4096    // work between two looks at the clock
)

// control is the budget of one query as it is spent.
type control struct {
	ctx      context.Context
	deadline time.Time
	limit    int64
	gate     *Gate
	held     bool  // a place at the gate
	turn     int64 // work at which it is given back
	work     int64
	next     int64 // work at the next look
	stopped  bool  // spent
	err      error // of ctx
}

func (c *control) begin(ctx context.Context, b Budget) {
	*c = control{ctx: ctx, deadline: b.Deadline, limit: b.Work, gate: b.Gate, next: checkWork}
	if c.limit > 0 && c.limit < c.next {
		c.next = c.limit
	}
}

func (c *control) end() {
	if c.held {
		c.gate.leave()
		c.held = false
	}
	c.ctx, c.gate = nil, nil
}

// spend adds work and says whether there is any left.
func (c *control) spend(n int) bool {
	c.work += int64(n)
	if c.work < c.next {
		return !c.stopped
	}
	return c.look()
}

// affords says whether this much work is likely to be done before the budget is spent.
func (c *control) affords(work int64) bool {
	return c.limit == 0 || c.work+work <= c.limit
}

// look asks clock, context and gate.
func (c *control) look() bool {
	if c.stopped {
		return false
	}
	c.next = c.work + checkWork
	if c.limit > 0 {
		if c.work >= c.limit {
			c.stopped = true
			return false
		}
		c.next = min(c.next, c.limit)
	}
	if c.err = c.ctx.Err(); c.err != nil {
		c.stopped = true
		return false
	}
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		c.stopped = true
		return false
	}
	if c.gate != nil {
		runtime.Gosched() // no query waits for a slice of the scheduler's, which is 10 ms
	}
	if c.gate != nil && c.work >= freeWork {
		if c.held && c.work >= c.turn {
			c.held = !c.gate.yield()
			c.turn = c.work + turnWork
		}
		if !c.held {
			if !c.enter() {
				c.stopped = true
				return false
			}
			c.turn = c.work + turnWork
		}
	}
	return true
}

// enter waits for a place at the gate.
func (c *control) enter() bool {
	var timeout <-chan time.Time
	if !c.deadline.IsZero() {
		t := time.NewTimer(time.Until(c.deadline))
		defer t.Stop()
		timeout = t.C
	}
	c.held = c.gate.enter(c.turn > 0, timeout, c.ctx.Done())
	if !c.held {
		c.err = c.ctx.Err()
	}
	return c.held
}
