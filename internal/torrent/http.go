package torrent

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
)

// Routes adds the addresses of the service:
//
//	/shelves/INFOHASH.torrent
//	/shelves/seed/wenlan-BODY/SHA256   the web seed, and below it .pad/N
//	/tracker/announce, /tracker/scrape
func (s *Service) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /shelves/{file}", s.wrap(s.metainfo))
	mux.HandleFunc("GET /shelves/seed/{shelf}/{path...}", s.wrap(s.webSeed))
	mux.HandleFunc("GET /tracker/announce", s.announce)
	mux.HandleFunc("GET /tracker/scrape", s.scrape)
}

func (s *Service) wrap(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		switch {
		case err == nil:
		case s.cfg.Error != nil:
			s.cfg.Error(w, r, err)
		case errs.KindOf(err) == errs.Internal:
			s.cfg.Log.ErrorContext(r.Context(), "a request failed", "err", err)
			http.Error(w, "internal error", http.StatusInternalServerError)
		default:
			http.Error(w, err.Error(), errs.Status(err))
		}
	}
}

// bases are the public addresses at which a shelf can be had, this site's first.
func (s *Service) bases(r *http.Request, number int64) []string {
	own := strings.TrimSuffix(s.cfg.URL, "/")
	if own == "" {
		own = "http://" + r.Host
		if r.TLS != nil {
			own = "https://" + r.Host
		}
	}
	list := []string{own}
	if s.cfg.Mirrors != nil {
		for _, m := range s.cfg.Mirrors(number) {
			if m = strings.TrimSuffix(m, "/"); !slices.Contains(list, m) && len(list) <= 20 {
				list = append(list, m)
			}
		}
	}
	return list
}

func (s *Service) metainfo(w http.ResponseWriter, r *http.Request) error {
	name, isTorrent := strings.CutSuffix(r.PathValue("file"), ".torrent")
	h, ok := ParseInfohash(name)
	if !isTorrent || !ok {
		return errs.New(errs.NotFound, "there is no such shelf")
	}
	shelf, err := s.cfg.Shelves.ByInfohash(r.Context(), h)
	if err != nil {
		return err
	}
	if err := shelf.Err(); err != nil {
		return err
	}
	m, err := s.cfg.Shelves.Manifest(r.Context(), shelf)
	if err != nil {
		return err
	}
	bases := s.bases(r, shelf.Number)
	// The clock of the entry, so that a shelf's file is the same each time.
	file := Metainfo(m.Info(shelf.Body.SHA256), Trackers(bases), WebSeeds(bases), bases[0]+"/shelves", shelf.Time.Unix())
	hd := w.Header()
	hd.Set("Content-Type", "application/x-bittorrent")
	hd.Set("Content-Disposition", blob.Disposition(false, shelf.Name()+".torrent"))
	hd.Set("Cache-Control", "no-cache") // it may stop, and mirrors come and go
	hd.Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = w.Write(file)
	return nil
}

// webSeed is BEP 19: a file of a shelf, by the path that it has in the torrent.
func (s *Service) webSeed(w http.ResponseWriter, r *http.Request) error {
	none := errs.New(errs.NotFound, "there is no such file on a shelf")
	body, ok := strings.CutPrefix(r.PathValue("shelf"), namePrefix)
	if !ok || !blob.Valid(body) {
		return none
	}
	shelf, err := s.cfg.Shelves.ByBody(r.Context(), body)
	if err != nil {
		return err
	}
	if err := shelf.Err(); err != nil {
		return err
	}
	t, err := s.store.get(r.Context(), shelf.Infohash)
	if err != nil {
		return err
	}
	path := r.PathValue("path")
	w.Header().Set("Cache-Control", "no-cache") // a withdrawal must reach it
	if pad, isPad := strings.CutPrefix(path, padFolder+"/"); isPad {
		i, err := strconv.Atoi(pad)
		if err != nil || i < 0 || i >= len(t.m.Files) || pad != strconv.Itoa(i) || t.m.padding(t.m.Files[i]) == 0 {
			return none
		}
		if t.m.padding(t.m.Files[i]) == 1 {
			// aria2 cannot ask for the range 0-0, and after the one byte it waits for more
			// on the same connection.
			w.Header().Set("Connection", "close")
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", shelf.Time, &zeros{size: t.m.padding(t.m.Files[i])})
		return nil
	}
	f, ok := t.m.Find(path)
	if !ok {
		return none
	}
	if s.cfg.Denied != nil && s.cfg.Denied(r.Context(), f.SHA256) {
		return errs.New(errs.Withdrawn, "the keeper of this mirror does not offer this file")
	}
	b, err := s.cfg.Blobs.Open(r.Context(), f.SHA256)
	if err != nil {
		return err
	}
	defer b.Close()
	return blob.Serve(w, r, b, blob.Ref{SHA256: f.SHA256, Bytes: f.Bytes}, blob.ServeOptions{Name: f.SHA256})
}

// zeros is a file of zeros.
type zeros struct{ size, at int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.at >= z.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.size-z.at))
	clear(p[:n])
	z.at += int64(n)
	return n, nil
}

func (z *zeros) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += z.at
	case io.SeekEnd:
		off += z.size
	}
	if off < 0 {
		return 0, errors.New("before the start")
	}
	z.at = off
	return off, nil
}

// remote is the address of a client. Behind a proxy on this machine it is what
// that proxy has added to X-Forwarded-For.
func remote(r *http.Request) (netip.Addr, bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	a := at.Addr().Unmap().WithZone("")
	if f := r.Header.Values("X-Forwarded-For"); a.IsLoopback() && len(f) > 0 {
		list := strings.Split(f[len(f)-1], ",")
		b, err := netip.ParseAddr(strings.TrimSpace(list[len(list)-1]))
		if err != nil {
			return netip.Addr{}, false
		}
		a = b.Unmap().WithZone("")
	}
	return a, a.IsValid() && !a.IsUnspecified() && !a.IsMulticast()
}

// ours is where our seeder is, as the client reaches this machine.
func (s *Service) ours(r *http.Request) (netip.AddrPort, bool) {
	port := s.seeder.Port()
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if port == 0 || !ok || r.Header.Get("X-Forwarded-For") != "" {
		return netip.AddrPort{}, false
	}
	a := addrOf(local).Addr().WithZone("")
	return netip.AddrPortFrom(a, port), a.IsValid() && !a.IsUnspecified()
}

func reply(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/plain") // as other trackers do
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// announce is the tracker, BEP 3. Only open shelves are tracked.
func (s *Service) announce(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	raw := q.Get("info_hash")
	port, perr := strconv.ParseUint(q.Get("port"), 10, 16)
	if err != nil || len(raw) != len(Infohash{}) || perr != nil || len(q.Get("peer_id")) != 20 {
		reply(w, failure("the request makes no sense"))
		return
	}
	h := Infohash([]byte(raw))
	shelf, err := s.cfg.Shelves.ByInfohash(r.Context(), h)
	if err == nil {
		err = shelf.Err()
	}
	if err != nil {
		why := "this tracker serves only the shelves of its library"
		if errs.Is(err, errs.Withdrawn) {
			why = err.Error()
			s.tracker.drop(h)
		}
		reply(w, failure(why))
		return
	}
	addr, ok := remote(r)
	if !ok {
		reply(w, failure("your address is not known here"))
		return
	}
	want := numWantUsual
	if n, err := strconv.Atoi(q.Get("numwant")); err == nil && n >= 0 {
		want = min(n, numWantAtMost)
	}
	left := q.Get("left") != "0"
	event := q.Get("event")
	who := netip.AddrPortFrom(addr, uint16(port))
	if port == 0 {
		event = "stopped" // it takes no connections, so nobody is told of it
	}
	others, seeds, leeches := s.tracker.announce(h, who, left, event, want)
	// aria2 with a magnet link says left=0 until it has the metadata, so a newcomer
	// is taken for one who wants it.
	if (left || q.Get("event") == "started") && q.Get("event") != "stopped" {
		if port != 0 {
			s.seeder.Call(h, who)
		}
		if self, ok := s.ours(r); ok {
			others = slices.Insert(others, 0, self)
		}
		others = others[:min(len(others), want)]
	}
	if s.seeder.Port() != 0 {
		seeds++
	}
	reply(w, announceAnswer(others, seeds, leeches))
}

// scrape is BEP 48.
func (s *Service) scrape(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	asked := q["info_hash"]
	if err != nil || len(asked) == 0 || len(asked) > 100 {
		reply(w, failure("name up to 100 shelves"))
		return
	}
	slices.Sort(asked)
	var b bytes.Buffer
	b.WriteString("d5:filesd")
	for _, raw := range slices.Compact(asked) {
		if len(raw) != len(Infohash{}) {
			continue
		}
		shelf, err := s.cfg.Shelves.ByInfohash(r.Context(), Infohash([]byte(raw)))
		if err != nil || shelf.Err() != nil {
			continue
		}
		_, leeches, had := s.tracker.scrape(shelf.Infohash)
		seeds := s.Copies(shelf)
		if s.seeder.Port() != 0 {
			seeds++
		}
		benString(&b, raw)
		b.WriteString("d8:completei")
		benTail(&b, int64(seeds))
		b.WriteString("10:downloadedi")
		benTail(&b, int64(had))
		b.WriteString("10:incompletei")
		benTail(&b, int64(leeches))
		b.WriteByte('e')
	}
	b.WriteString("ee")
	reply(w, b.Bytes())
}
