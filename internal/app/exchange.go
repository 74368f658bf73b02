package app

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/register"
)

const (
	exchangePart = 16               // others that are asked at once for their charters
	maxOthers    = 1000             // that are asked at the start
	exchangeTime = 20 * time.Second // for one of them to answer
	maxExchanged = 4 << 20          // bytes of their charters
)

// exchange keeps the charters of an origin and those of its mirrors the same, until
// ctx ends: at once, and then every ten polls. So an origin that was away learns that
// the library has another one, and a new origin is known to all whom it knows.
// Mirrors ask by themselves.
func (l *Library) exchange(ctx context.Context) {
	every := l.Config.poll()
	if every == 0 {
		every = time.Minute
	}
	tick := time.NewTicker(10 * every)
	defer tick.Stop()
	l.exchangeOnce(ctx, maxOthers)
	for {
		select {
		case <-tick.C:
			l.exchangeOnce(ctx, exchangePart)
		case <-ctx.Done():
			return
		}
	}
}

// exchangeOnce asks at most so many of the others once, exchangePart at a time.
func (l *Library) exchangeOnce(ctx context.Context, most int) {
	list := l.others()
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var wg sync.WaitGroup
	turn := make(chan struct{}, exchangePart)
	for _, o := range list[:min(len(list), most)] {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			ctx, cancel := context.WithTimeout(ctx, exchangeTime)
			defer cancel()
			if err := l.exchangeWith(ctx, o.address, o.stranger); err != nil {
				l.log.DebugContext(ctx, "charters were not exchanged", "with", o.address, "err", err)
			}
		})
	}
	wg.Wait()
}

type other struct {
	address  string
	stranger bool // who gave it is not known
}

// others are the addresses of other copies: those that the charter and the keeper
// name, those that this folder was a mirror of, and the mirrors in the list.
func (l *Library) others() (list []other) {
	seen := map[string]bool{strings.TrimSuffix(l.Config.URL, "/"): true}
	add := func(stranger bool, addresses ...string) {
		for _, a := range addresses {
			if a = strings.TrimSuffix(a, "/"); !seen[a] && strings.HasPrefix(a, "http") {
				seen[a] = true
				list = append(list, other{a, stranger})
			}
		}
	}
	if c, ok := l.Register.Charter(); ok {
		add(false, c.Addresses...)
	}
	add(false, l.Config.Witnesses...)
	if s, err := mirror.LoadState(durable.OS(), l.Config.path(mirrorDir)); err == nil {
		add(false, s.Sources...)
	}
	if l.mirrors != nil {
		for _, m := range l.mirrors.All() {
			add(true, m.URL)
		}
	}
	return list
}

// exchangeWith takes the charters that follow ours, and brings those that they lack.
func (l *Library) exchangeWith(ctx context.Context, address string, stranger bool) error {
	u, err := url.Parse(l.Config.URL)
	public := stranger && err == nil && u.Host != "" && !isLocal(u.Hostname())
	spoken := mirror.SourceConfig{Public: public}
	s, err := mirror.OpenSource(address, spoken)
	if err != nil {
		return err
	}
	if c, ok := s.(interface{ Close() error }); ok {
		defer c.Close()
	}
	raw, err := s.Get(ctx, "register/charters", maxExchanged)
	if err != nil {
		return err
	}
	var notes []string
	if err := json.Unmarshal(raw, &notes); err != nil {
		return errs.New(errs.Corrupt, "%s gives no list of charters: %w", address, err)
	}
	ours := l.Register.Charters()
	for i, n := range notes[:min(len(notes), len(ours))] {
		if !register.SameCharter(ours[i], []byte(n)) {
			return errs.New(errs.Refused, "%s has another charter %d", address, i+1)
		}
	}
	if len(notes) == 0 {
		return errs.New(errs.Refused, "%s has no charters", address)
	}
	for _, n := range notes[min(len(notes), len(ours)):] {
		if _, err := l.postedCharter(ctx, []byte(n)); err != nil {
			return err
		}
	}
	client := mirror.Client(spoken)
	defer client.CloseIdleConnections()
	for _, c := range ours[min(len(notes), len(ours)):] {
		if err := postCharter(ctx, client, address, c); err != nil {
			return err
		}
	}
	return nil
}
