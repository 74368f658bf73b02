package fulltext

import (
	"container/list"
	"context"
	"sync"

	form "wenlan/internal/format"
	"wenlan/internal/record"
)

// place names a chapter of a file.
type place struct {
	sha256 string
	part   int
}

// texts holds chapters that were read for snippets, those used last, and bounds
// how many are read at once.
type texts struct {
	reading chan struct{}

	mu    sync.Mutex
	most  int // bytes
	bytes int
	order *list.List // of *kept, the last used in front
	known map[place]*list.Element
}

type kept struct {
	place   place
	chapter form.Chapter
}

func newTexts(most int) *texts {
	return &texts{reading: make(chan struct{}, 2), most: most, order: list.New(), known: map[place]*list.Element{}}
}

func (t *texts) get(p place) (form.Chapter, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	el, ok := t.known[p]
	if !ok {
		return form.Chapter{}, false
	}
	t.order.MoveToFront(el)
	return el.Value.(*kept).chapter, true
}

func (t *texts) put(p place, c form.Chapter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(c.Text) > t.most/4 || t.known[p] != nil {
		return
	}
	t.known[p] = t.order.PushFront(&kept{p, c})
	for t.bytes += len(c.Text); t.bytes > t.most; {
		last := t.order.Back()
		k := t.order.Remove(last).(*kept)
		t.bytes -= len(k.chapter.Text)
		delete(t.known, k.place)
	}
}

// chapter reads one chapter of a file. It is the caller who has asked whether it
// may be read.
func (x *FullText) chapter(ctx context.Context, file record.File, part int) (form.Chapter, error) {
	p := place{file.SHA256, part}
	if c, ok := x.texts.get(p); ok {
		return c, nil
	}
	select {
	case x.texts.reading <- struct{}{}:
		defer func() { <-x.texts.reading }()
	case <-ctx.Done():
		return form.Chapter{}, ctx.Err()
	}
	b, err := x.cfg.Blobs.Open(ctx, file.SHA256)
	if err != nil {
		return form.Chapter{}, err
	}
	defer b.Close()
	c, err := form.ChapterAt(ctx, b, file.MediaType, part)
	if err == nil {
		x.texts.put(p, c)
	}
	return c, err
}
