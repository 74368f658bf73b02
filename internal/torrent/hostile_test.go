package torrent

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// pipe joins over a pipe, which takes nothing before it is read.
func (l *stocked) pipe(s *Service) *leecher {
	l.t.Helper()
	ours, theirs := net.Pipe()
	s.seeder.wg.Go(func() { s.seeder.take(theirs, nil) })
	l.t.Cleanup(func() { ours.Close() })
	_ = ours.SetDeadline(time.Now().Add(20 * time.Second))
	c := &leecher{t: l.t, conn: ours, fast: true}
	c.send(append(append(append([]byte(protocol), reserved[:]...), l.shelf.Infohash[:]...), "-XX0000-abcdefghijkl"...))
	if _, err := io.ReadFull(ours, make([]byte, handshakeLen)); err != nil {
		l.t.Fatal(err)
	}
	c.read() // extended
	c.read() // have all
	return c
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSlowClientsHoldLittle: who asks for a block of every piece and reads nothing
// does not keep the pieces in memory.
func TestSlowClientsHoldLittle(t *testing.T) {
	const clients = 8
	st := stock(t, 32*PieceSmall)
	s := st.start(Config{CacheBytes: 1})
	before := heap()
	for range clients {
		c := st.pipe(s)
		c.send(appendMessage(nil, msgInterested))
		if id, _ := c.read(); id != msgUnchoke {
			t.Fatal(id)
		}
		var all []byte
		for i := range 32 {
			var b [12]byte
			binary.BigEndian.PutUint32(b[:], uint32(i))
			binary.BigEndian.PutUint32(b[8:], 16<<10)
			all = appendMessage(all, msgRequest, b[:]...)
		}
		c.send(all)
		if _, err := io.ReadFull(c.conn, make([]byte, 4)); err != nil { // more waits to be read
			t.Fatal(err)
		}
	}
	if each := (heap() - before) / clients; each > 4<<20 {
		t.Errorf("each holds %d KiB", each>>10)
	}
}

// TestMetadataWaits: who asks for the metadata again and again and reads nothing is
// heard no further, and gets it all once it reads.
func TestMetadataWaits(t *testing.T) {
	sizes := make([]int, 300) // an info dictionary of two parts
	for i := range sizes {
		sizes[i] = 1 + i
	}
	st := stock(t, sizes...)
	s := st.start(Config{})
	c := st.pipe(s)
	ask := appendMessage(nil, msgExtended, []byte("\x01d8:msg_typei0e5:piecei0ee")...)
	const times = 1000
	said := make(chan error, 1)
	go func() {
		_, err := c.conn.Write(appendMessage(nil, msgExtended, []byte("\x00d1:md11:ut_metadatai7eee")...))
		for range times {
			if err == nil {
				_, err = c.conn.Write(ask)
			}
		}
		said <- err
	}()
	select {
	case <-said:
		t.Error("it took all questions, and nobody has read an answer")
	case <-time.After(200 * time.Millisecond):
	}
	for range times {
		if id, payload := c.read(); id != msgExtended || len(payload) < metadataPiece {
			t.Fatal(id, len(payload))
		}
	}
}

// TestStopWhileLoading: a shelf that stops while its torrent is loaded is not given out.
func TestStopWhileLoading(t *testing.T) {
	st := stock(t, 1000, 2000)
	s := New(Config{Shelves: st.Shelves, Blobs: st.blobs, Denied: func(context.Context, string) bool { return false }})
	defer s.Close()
	s.store.denied = func(ctx context.Context, sha string) bool { // the shelf was found open
		if st.state(1) == StateOpen {
			st.reg.Append(record.Entry{Type: record.TypeWithdrawal, Blob: st.refs[1].SHA256, Ground: "a court said so"})
			st.catch()
			if err := s.Refresh(ctx); err != nil {
				t.Error(err)
			}
		}
		return false
	}
	if _, err := s.store.get(t.Context(), st.shelf.Infohash); !errs.Is(err, errs.Withdrawn) {
		t.Errorf("it is given out: %v", err)
	}
}
