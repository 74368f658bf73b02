package torrent

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

const (
	announceEvery = 20 * time.Minute
	announceMin   = time.Minute
	forgetAfter   = 45 * time.Minute
	sweepEvery    = 5 * time.Minute

	maxSwarms     = 60_000 // torrents with clients
	maxSwarm      = 2_000  // clients of one torrent
	maxSwarmHost  = 8      // of these, from one address (IPv6: one /64)
	maxTracked    = 200_000
	numWantUsual  = 50
	numWantAtMost = 200
)

// tracker remembers for a while which clients have which torrent. Its tables are
// bounded; when they are full, newcomers get answers and are not remembered.
type tracker struct {
	now func() time.Time

	mu     sync.Mutex
	swarms map[Infohash]*swarm
	total  int
	swept  time.Time
}

type swarm struct {
	clients map[netip.AddrPort]client
	seeds   int // of these, how many have it all
	had     int // downloads that were reported complete
}

type client struct {
	seen int64 // Unix seconds
	seed bool
}

func newTracker(now func() time.Time) *tracker {
	return &tracker{now: now, swarms: map[Infohash]*swarm{}, swept: now()}
}

// hostOf is what counts as one address.
func hostOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// announce notes a client and gives up to want others, chosen by chance; those who
// have it all are told nothing of each other. stopped takes it out.
func (t *tracker) announce(h Infohash, who netip.AddrPort, left bool, event string, want int) (others []netip.AddrPort, seeds, leeches int) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.swept) >= sweepEvery {
		t.sweep(now)
	}
	s := t.swarms[h]
	if s == nil {
		if event == "stopped" || len(t.swarms) >= maxSwarms {
			return nil, 0, 0
		}
		s = &swarm{clients: map[netip.AddrPort]client{}}
		t.swarms[h] = s
	}
	old, there := s.clients[who]
	switch {
	case event == "stopped":
		if there {
			t.forget(s, who, old)
		}
		want = 0
	case there || t.room(s, who.Addr()):
		if there {
			t.forget(s, who, old)
		}
		s.clients[who] = client{seen: now.Unix(), seed: !left}
		t.total++
		if !left {
			s.seeds++
		}
		if event == "completed" {
			s.had++
		}
	}
	if len(s.clients) == 0 && s.had == 0 {
		delete(t.swarms, h)
	}
	others = pick(s, who, left || event == "started", want)
	return others, s.seeds, len(s.clients) - s.seeds
}

// room says whether a newcomer is remembered.
func (t *tracker) room(s *swarm, a netip.Addr) bool {
	if len(s.clients) >= maxSwarm || t.total >= maxTracked {
		return false
	}
	host, n := hostOf(a), 0
	for c := range s.clients {
		if hostOf(c.Addr()) == host {
			if n++; n >= maxSwarmHost {
				return false
			}
		}
	}
	return true
}

func (t *tracker) forget(s *swarm, who netip.AddrPort, c client) {
	delete(s.clients, who)
	t.total--
	if c.seed {
		s.seeds--
	}
}

// sweep forgets who has not been heard of.
func (t *tracker) sweep(now time.Time) {
	t.swept = now
	before := now.Add(-forgetAfter).Unix()
	for h, s := range t.swarms {
		for who, c := range s.clients {
			if c.seen < before {
				t.forget(s, who, c)
			}
		}
		if len(s.clients) == 0 && s.had == 0 {
			delete(t.swarms, h)
		}
	}
}

// pick chooses by chance, each as likely as another.
func pick(s *swarm, who netip.AddrPort, left bool, want int) []netip.AddrPort {
	var out []netip.AddrPort
	if want <= 0 {
		return nil
	}
	seen := 0
	for c, is := range s.clients {
		if c == who || (!left && is.seed) {
			continue
		}
		seen++
		if len(out) < want {
			out = append(out, c)
		} else if at := rand.IntN(seen); at < want {
			out[at] = c
		}
	}
	return out
}

// scrape is what BEP 48 tells of a torrent.
func (t *tracker) scrape(h Infohash) (seeds, leeches, had int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.swarms[h]
	if s == nil {
		return 0, 0, 0
	}
	return s.seeds, len(s.clients) - s.seeds, s.had
}

// drop forgets a torrent.
func (t *tracker) drop(h Infohash) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.swarms[h]; s != nil {
		t.total -= len(s.clients)
		delete(t.swarms, h)
	}
}

// announceAnswer is BEP 3 with compact addresses, BEP 23 and BEP 7.
func announceAnswer(others []netip.AddrPort, seeds, leeches int) []byte {
	var b, four, six bytes.Buffer
	for _, o := range others {
		to := &six
		if o.Addr().Is4() {
			to = &four
		}
		to.Write(o.Addr().AsSlice())
		_ = binary.Write(to, binary.BigEndian, o.Port())
	}
	b.WriteString("d8:completei")
	benTail(&b, int64(seeds))
	b.WriteString("10:incompletei")
	benTail(&b, int64(leeches))
	b.WriteString("8:intervali")
	benTail(&b, int64(announceEvery/time.Second))
	b.WriteString("12:min intervali")
	benTail(&b, int64(announceMin/time.Second))
	b.WriteString("5:peers")
	benString(&b, four.Bytes())
	if six.Len() > 0 {
		b.WriteString("6:peers6")
		benString(&b, six.Bytes())
	}
	b.WriteByte('e')
	return b.Bytes()
}

// failure is the answer to what is not tracked, BEP 3.
func failure(why string) []byte {
	var b bytes.Buffer
	b.WriteString("d14:failure reason")
	benString(&b, why)
	b.WriteByte('e')
	return b.Bytes()
}
