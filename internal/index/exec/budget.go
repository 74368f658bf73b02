package exec

import (
	"context"
	"runtime"
	"time"
)

// Gate bounds how many heavy queries run at once, so that light ones never wait behind
// them. Every query begins without it; one that has done freeWork takes a place, waiting
// for it within its deadline, and gives it back when it ends, or has done turnWork, to wait
// for its next turn behind the others: the shortest of them end first.
type Gate struct{ slots chan struct{} }

// NewGate makes a gate for n heavy queries at once; below 1 it is half of the processors,
// at least one.
func NewGate(n int) *Gate {
	if n < 1 {
		n = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return &Gate{make(chan struct{}, n)}
}

const (
	freeWork  = 100_000 // work before a query counts as heavy: a fraction of a millisecond
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
		<-c.gate.slots
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
	if c.gate != nil && c.work >= freeWork {
		if c.held && c.work >= c.turn {
			<-c.gate.slots
			c.held = false
		}
		if !c.held {
			if !c.enter() {
				c.stopped = true
				return false
			}
			c.turn = c.work + turnWork
		}
		runtime.Gosched() // light queries first
	}
	return true
}

// enter waits for a place at the gate.
func (c *control) enter() bool {
	select {
	case c.gate.slots <- struct{}{}:
		c.held = true
		return true
	default:
	}
	var timeout <-chan time.Time
	if !c.deadline.IsZero() {
		t := time.NewTimer(time.Until(c.deadline))
		defer t.Stop()
		timeout = t.C
	}
	select {
	case c.gate.slots <- struct{}{}:
		c.held = true
		return true
	case <-timeout:
		return false
	case <-c.ctx.Done():
		c.err = c.ctx.Err()
		return false
	}
}
