package torrent

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wenlan/internal/errs"
)

const (
	peersDefault = 200
	peersOfHost  = 10 // connections from one host, see hostOf
	slots        = 40 // peers that are given pieces at once
	turn         = 30 * time.Second
	callsAtOnce  = 16
	writeBatch   = 512 << 10 // bytes in one write, and at most a block more
	helloTime    = 15 * time.Second
	quietTime    = 3 * time.Minute
	writeTime    = 2 * time.Minute
	aliveTime    = 90 * time.Second
)

// Seeder gives pieces to BitTorrent clients. It asks nobody for anything.
type Seeder struct {
	store *store
	id    [20]byte // BEP 20
	max   int
	log   *slog.Logger
	sent  atomic.Int64

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	calls  chan struct{}

	mu    sync.Mutex
	ln    net.Listener
	peers map[*peer]bool
	hosts map[netip.Prefix]int
	dials map[call]bool
}

type call struct {
	h    Infohash
	addr netip.AddrPort
}

func newSeeder(st *store, max int, log *slog.Logger) *Seeder {
	if max <= 0 {
		max = peersDefault
	}
	s := &Seeder{store: st, max: max, log: log, calls: make(chan struct{}, callsAtOnce),
		peers: map[*peer]bool{}, hosts: map[netip.Prefix]int{}, dials: map[call]bool{}}
	rand.Read(s.id[:])
	copy(s.id[:], "-WL0001-")
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Listen starts to take connections. It returns at once; Close ends it.
func (s *Seeder) Listen(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return errs.New(errs.Refused, "listen for BitTorrent on %s: %w", address, err)
	}
	s.mu.Lock()
	s.ln = ln
	s.mu.Unlock()
	s.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
					return
				}
				select { // out of file descriptors, perhaps
				case <-time.After(100 * time.Millisecond):
					continue
				case <-s.ctx.Done():
					return
				}
			}
			s.wg.Go(func() { s.take(conn, nil) })
		}
	})
	s.wg.Go(s.turns)
	return nil
}

// Port is where the seeder listens; 0 when it does not.
func (s *Seeder) Port() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln == nil {
		return 0
	}
	return addrOf(s.ln.Addr()).Port()
}

// Sent is how many bytes of pieces have gone out.
func (s *Seeder) Sent() int64 { return s.sent.Load() }

// Close ends all connections and returns when nothing of it runs.
func (s *Seeder) Close() {
	s.cancel()
	s.mu.Lock()
	if s.ln != nil {
		s.ln.Close()
	}
	for p := range s.peers {
		p.conn.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Call connects to a client that has asked the tracker, so that it need not find
// us. It returns at once, and does nothing where too much is under way.
func (s *Seeder) Call(h Infohash, addr netip.AddrPort) {
	c := call{h, addr}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln == nil || s.ctx.Err() != nil || s.dials[c] || len(s.peers) >= s.max {
		return
	}
	for p := range s.peers {
		if p.t != nil && p.t.shelf.Infohash == h && p.host == addr.Addr() {
			return
		}
	}
	select {
	case s.calls <- struct{}{}:
	default:
		return
	}
	s.dials[c] = true
	s.wg.Go(func() {
		defer func() {
			<-s.calls
			s.mu.Lock()
			delete(s.dials, c)
			s.mu.Unlock()
		}()
		ctx, cancel := context.WithTimeout(s.ctx, helloTime)
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
		cancel()
		if err == nil {
			s.wg.Go(func() { s.take(conn, &h) })
		}
	})
}

func addrOf(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// take serves one connection to its end; ours is the torrent for which we called.
func (s *Seeder) take(conn net.Conn, ours *Infohash) {
	defer conn.Close()
	p := &peer{s: s, conn: conn, host: addrOf(conn.RemoteAddr()).Addr(), wake: make(chan struct{}, 1), room: make(chan struct{}, 1), ahead: make(chan int, 4), choked: true}
	host := hostOf(p.host)
	s.mu.Lock()
	if s.ctx.Err() != nil || s.hosts[host] >= peersOfHost || (len(s.peers) >= s.max && !s.makeRoom(time.Now())) {
		s.mu.Unlock()
		return
	}
	s.peers[p] = true
	s.hosts[host]++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.peers, p)
		if s.hosts[host]--; s.hosts[host] == 0 {
			delete(s.hosts, host)
		}
		s.mu.Unlock()
		s.fill()
	}()
	if err := p.serve(ours); err != nil && s.ctx.Err() == nil {
		s.log.Debug("a BitTorrent client", "err", err) // without its address
	}
}

// makeRoom lets a peer go that wants nothing, others' seeders for one; s.mu is held.
func (s *Seeder) makeRoom(now time.Time) bool {
	for p := range s.peers {
		if interested, _, since := p.standing(); !interested && !since.IsZero() && now.Sub(since) >= turn {
			p.conn.Close()
			return len(s.peers) < s.max+callsAtOnce // it leaves at once
		}
	}
	return false
}

// turns gives those who wait for a slot their turn.
func (s *Seeder) turns() {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			s.rotate(time.Now())
		}
	}
}

// rotate takes slots from those who have had them longest, for those who wait.
func (s *Seeder) rotate(now time.Time) {
	s.mu.Lock()
	var waiting int
	var had []*peer
	for p := range s.peers {
		interested, choked, since := p.standing()
		switch {
		case interested && choked:
			waiting++
		case !choked && now.Sub(since) >= turn:
			had = append(had, p)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(had, func(a, b *peer) int {
		_, _, x := a.standing()
		_, _, y := b.standing()
		return x.Compare(y)
	})
	for _, p := range had[:min(len(had), waiting)] {
		p.setChoked(true, now)
	}
	s.fill()
}

// fill gives free slots away; those who have waited longest come first.
func (s *Seeder) fill() {
	now := time.Now()
	s.mu.Lock()
	free := slots
	var waiting []*peer
	for p := range s.peers {
		switch interested, choked, _ := p.standing(); {
		case !choked:
			free--
		case interested:
			waiting = append(waiting, p)
		}
	}
	slices.SortFunc(waiting, func(a, b *peer) int {
		_, _, x := a.standing()
		_, _, y := b.standing()
		return x.Compare(y)
	})
	waiting = waiting[:max(0, min(len(waiting), free))]
	for _, p := range waiting {
		p.setChoked(false, now)
	}
	s.mu.Unlock()
}

// peer is one connection.
type peer struct {
	s    *Seeder
	conn net.Conn
	host netip.Addr
	t    *loaded // set under s.mu once it is known
	fast bool

	wake chan struct{} // there is something to be sent
	room chan struct{} // what waited to be said was taken

	ahead chan int // pieces to be read before their turn to be sent comes
	asked uint32   // the last of them, and 1

	mu         sync.Mutex
	queue      []request
	control    []byte // messages to be sent before the next block
	interested bool
	choked     bool
	since      time.Time // of the last change of choked
	closed     bool
}

func (p *peer) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.conn.Close()
	p.stir()
}

func (p *peer) stir() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *peer) standing() (interested, choked bool, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.interested, p.choked, p.since
}

func (p *peer) setChoked(choked bool, now time.Time) {
	p.mu.Lock()
	if p.choked != choked {
		p.choked, p.since = choked, now
		if choked {
			p.control = appendMessage(p.control, msgChoke)
			if p.fast {
				for _, q := range p.queue {
					p.control = appendReject(p.control, q)
				}
			}
			p.queue = nil
		} else {
			p.control = appendMessage(p.control, msgUnchoke)
		}
	}
	p.mu.Unlock()
	p.stir()
}

// serve speaks with the peer until either has enough.
func (p *peer) serve(ours *Infohash) error {
	s := p.s
	_ = p.conn.SetDeadline(time.Now().Add(helloTime))
	if ours != nil {
		if err := writeHandshake(p.conn, *ours, s.id); err != nil {
			return err
		}
	}
	r := bufio.NewReaderSize(p.conn, 4<<10)
	hs, err := readHead(r)
	if err != nil {
		return err
	}
	if ours != nil && hs.h != *ours {
		return errs.New(errs.Refused, "it answers for another torrent")
	}
	t, err := s.store.get(s.ctx, hs.h)
	if err != nil {
		return err
	}
	if ours == nil {
		if err := writeHandshake(p.conn, hs.h, s.id); err != nil {
			return err
		}
	}
	if err := hs.readID(r); err != nil {
		return err
	}
	if hs.id == s.id {
		return errs.New(errs.Refused, "this is ourselves")
	}
	s.mu.Lock()
	p.t, p.fast = t, hs.fast
	s.mu.Unlock()
	if !t.join(p) {
		return errStopped
	}
	defer t.leave(p)

	var info []byte // made when it is asked for
	hello := p.hello(hs.extended)
	p.mu.Lock()
	p.control, p.since = hello, time.Now()
	p.mu.Unlock()
	_ = p.conn.SetWriteDeadline(time.Time{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer p.conn.Close()
		p.write()
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for n := range p.ahead {
			_, _ = s.store.piece(s.ctx, t, n) // an error is met again when it is sent
		}
	}()
	defer func() {
		p.close()
		close(p.ahead)
		<-done
		<-read
	}()
	var metadata byte
	for {
		_ = p.conn.SetReadDeadline(time.Now().Add(quietTime))
		m, err := readMessage(r)
		if err != nil {
			return err
		}
		if m.alive {
			continue
		}
		switch m.id {
		case msgInterested, msgNotInterested:
			p.mu.Lock()
			was := p.interested
			p.interested = m.id == msgInterested
			now := p.interested
			p.mu.Unlock()
			switch {
			case now && !was:
				s.fill()
			case was && !now:
				p.setChoked(true, time.Now())
				s.fill()
			}
		case msgRequest:
			if err := p.ask(m.request); err != nil {
				return err
			}
		case msgCancel:
			p.cancel(m.request)
		case msgExtended:
			switch m.payload[0] {
			case 0:
				metadata = metadataOf(m.payload[1:])
			case metadataID:
				piece, ok := metadataRequest(m.payload[1:])
				if !ok || metadata == 0 {
					continue
				}
				if info == nil {
					info = t.m.Info(t.shelf.Body.SHA256)
				}
				if !p.say(appendMessage(nil, msgExtended, metadataAnswer(metadata, info, piece)...), done) {
					return errStopped
				}
			}
		}
	}
}

// maxControl bounds what waits to be said beside blocks, in bytes; one message may
// be over it.
const maxControl = 256 << 10

// say waits until there is room, so that who does not read is heard no further. It
// is false when the connection is done.
func (p *peer) say(message []byte, done <-chan struct{}) bool {
	for {
		p.mu.Lock()
		ok := len(p.control) < maxControl
		if ok {
			p.control = append(p.control, message...)
		}
		p.mu.Unlock()
		if ok {
			p.stir()
			return true
		}
		select {
		case <-p.room:
		case <-done:
			return false
		}
	}
}

// hello is what follows the handshake: what we have, and what we can.
func (p *peer) hello(extended bool) []byte {
	var b []byte
	if extended {
		b = appendMessage(b, msgExtended, extendedHello(p.t.info)...)
	}
	have, all, none := p.t.field()
	switch {
	case all && p.fast:
		return appendMessage(b, msgHaveAll)
	case none && p.fast:
		return appendMessage(b, msgHaveNone)
	case none:
		return b
	}
	return appendMessage(b, msgBitfield, have...)
}

// ask takes a request. Where it cannot be met, a peer with the Fast extension is
// told so, and another is let go: it would wait for ever.
func (p *peer) ask(q request) error {
	if q.length == 0 || q.length > maxBlock || int64(q.begin)+int64(q.length) > p.t.m.PieceLength || int64(q.piece) >= int64(p.t.pieces) {
		return errs.New(errs.Refused, "it asks for what there is not")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.choked && !p.fast:
		return nil // BEP 3: it may have crossed our choke
	case p.choked || !p.t.has(int(q.piece)) || len(p.queue) >= maxRequests:
		if !p.fast {
			return errs.New(errs.Refused, "it asks for what it cannot have")
		}
		if len(p.control) > maxControl {
			return errs.New(errs.Refused, "it asks for more than it takes")
		}
		p.control = appendReject(p.control, q)
	default:
		p.queue = append(p.queue, q)
		if p.asked != q.piece+1 {
			p.asked = q.piece + 1
			select {
			case p.ahead <- int(q.piece):
			default:
			}
		}
	}
	p.stir()
	return nil
}

func (p *peer) cancel(q request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.queue, q); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
		if p.fast {
			p.control = appendReject(p.control, q)
			p.stir()
		}
	}
}

// write sends what is asked for until the connection ends. Blocks are copied out of
// their pieces, so that who reads slowly keeps no piece in memory.
func (p *peer) write() {
	alive := time.NewTimer(aliveTime)
	defer alive.Stop()
	var out []byte
	for {
		p.mu.Lock()
		closed := p.closed
		out = append(out[:0], p.control...)
		p.control = nil
		p.mu.Unlock()
		if closed {
			return
		}
		select {
		case p.room <- struct{}{}:
		default:
		}
		var sent int64
		for len(out) < writeBatch {
			q, ok := p.take()
			if !ok {
				break
			}
			data, err := p.s.store.piece(p.s.ctx, p.t, int(q.piece))
			if err != nil {
				if !p.fast || p.s.ctx.Err() != nil {
					return
				}
				out = appendReject(out, q)
				continue
			}
			out = appendBlock(out, q, data)
			sent += int64(q.length)
		}
		if len(out) == 0 {
			select {
			case <-p.wake:
				continue
			case <-p.s.ctx.Done():
				return
			case <-alive.C:
				out = append(out, 0, 0, 0, 0)
			}
		}
		p.t.mu.Lock()
		stopped := p.t.stopped
		p.t.mu.Unlock()
		_ = p.conn.SetWriteDeadline(time.Now().Add(writeTime))
		if stopped {
			return
		}
		if _, err := p.conn.Write(out); err != nil {
			return
		}
		p.s.sent.Add(sent)
		alive.Reset(aliveTime)
	}
}

// take takes the next request; ok is false where there is none.
func (p *peer) take() (q request, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return q, false
	}
	q = p.queue[0]
	p.queue = p.queue[1:]
	return q, true
}
