package format

import (
	"bytes"
	"context"
	"errors"
	"io"
)

const (
	pdfMaxObjects  = 2 << 20 // numbered objects of one file
	pdfMaxSections = 512     // cross-reference sections joined by Prev
	pdfMaxReads    = 4 << 20 // objects read in one run
	pdfCached      = 16      // unpacked object streams kept
)

var (
	errPDFLimit  = errors.New("pdf: larger than the limits of this program")
	errPDFXref   = errors.New("pdf: damaged cross-reference table")
	errPDFLocked = errors.New("pdf: a password is needed")
)

// pdfEntry is where an object is (7.5.4, 7.5.8): free, at an offset, or the
// gen-th object of the object stream at.
type pdfEntry struct {
	kind byte // 0 not seen, 1 offset, 2 in an object stream, 3 free
	gen  uint16
	at   int64
}

// pdfFile reads objects of a PDF. Every step is counted against a budget, so
// that any input ends; it is not safe for concurrent use.
type pdfFile struct {
	ctx     context.Context
	f       File
	size    int64
	base    int64 // where %PDF- is: offsets count from there
	xref    []pdfEntry
	trailer pdfDict
	crypt   *pdfCrypt
	rebuilt bool // the table was damaged and made anew

	reads   int
	decoded int
	codes   int          // kept in the tables of all fonts
	busy    map[int]bool // objects being read, against cycles
	streams map[int]*pdfObjects
	order   []int
}

// pdfObjects is an unpacked object stream (7.5.7).
type pdfObjects struct {
	data  []byte
	num   []int
	start []int
}

// openPDF finds the cross-reference table, or makes it anew where it is
// damaged. A file without any end mark is cut short and gives errPDFXref.
func openPDF(ctx context.Context, f File) (*pdfFile, error) {
	p := &pdfFile{ctx: ctx, f: f, size: f.Size(), busy: map[int]bool{}, streams: map[int]*pdfObjects{}}
	head, err := p.bytes(0, 1024)
	if err != nil {
		return nil, err
	}
	if p.base = int64(bytes.Index(head, []byte("%PDF-"))); p.base < 0 {
		return nil, errPDFToken
	}
	tail := max(0, p.size-4096)
	end, err := p.bytes(tail, 4096)
	if err != nil {
		return nil, err
	}
	at := bytes.LastIndex(end, []byte("startxref"))
	if at < 0 {
		return nil, errPDFXref
	}
	l := pdfLexer{buf: end, pos: at + len("startxref")}
	l.skip()
	start, _ := l.plain()
	offset, _ := start.(int64)
	err = p.table(offset)
	if err == nil && p.trailer["Encrypt"] != nil {
		err = p.unlock()
	}
	if err == nil {
		if _, ok := p.get(p.trailer["Root"]).(pdfDict); !ok {
			err = errPDFXref
		}
	}
	if err != nil {
		if err := p.fatal(err); err != nil {
			return nil, err
		}
		if err := p.rebuild(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// fatal gives err back when another way of reading would not help.
func (p *pdfFile) fatal(err error) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if errors.Is(err, errPDFLimit) || errors.Is(err, errPDFLocked) {
		return err
	}
	return nil
}

// bytes reads at most n bytes at off.
func (p *pdfFile) bytes(off int64, n int) ([]byte, error) {
	if off < 0 || off >= p.size {
		return nil, errPDFXref
	}
	buf := make([]byte, min(int64(n), p.size-off))
	got, err := p.f.ReadAt(buf, off)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return buf[:got], nil
}

// step counts one unit of work.
func (p *pdfFile) step() error {
	if p.reads++; p.reads > pdfMaxReads {
		return errPDFLimit
	}
	if p.reads&63 == 0 {
		return p.ctx.Err()
	}
	return nil
}

// at reads the indirect object at an offset of the file.
func (p *pdfFile) at(off int64) (num, gen int, obj any, err error) {
	if err := p.step(); err != nil {
		return 0, 0, nil, err
	}
	for n := 1024; ; n *= 8 {
		buf, err := p.bytes(off, n)
		if err != nil {
			return 0, 0, nil, err
		}
		l := pdfLexer{buf: buf}
		num, gen, obj, stream, err := l.indirect()
		if err == nil && l.pos == len(buf) && len(buf) == n {
			err = errPDFEnd // a number at the very end may go on
		}
		if err == errPDFEnd && len(buf) == n && n < pdfMaxObject {
			p.reads += n >> 10 // long objects cost more
			continue
		}
		if err != nil {
			return 0, 0, nil, err
		}
		if stream > 0 {
			obj = pdfStream{dict: obj.(pdfDict), offset: off + int64(stream), num: num, gen: gen}
		}
		return num, gen, obj, nil
	}
}

// get follows references; what is missing or damaged is nil.
func (p *pdfFile) get(v any) any {
	for range 16 {
		ref, ok := v.(pdfRef)
		if !ok {
			return v
		}
		v = p.load(ref.num)
	}
	return nil
}

func (p *pdfFile) load(num int) any {
	if num <= 0 || num >= len(p.xref) || p.busy[num] {
		return nil
	}
	p.busy[num] = true
	defer delete(p.busy, num)
	switch e := p.xref[num]; e.kind {
	case 1:
		n, gen, obj, err := p.at(p.base + e.at)
		if err != nil || n != num {
			return nil
		}
		return p.crypt.object(obj, n, gen)
	case 2:
		s := p.objects(int(e.at))
		if s == nil {
			return nil
		}
		i := int(e.gen)
		if i >= len(s.num) || s.num[i] != num {
			i = -1
			for j, n := range s.num {
				if n == num {
					i = j
				}
			}
		}
		if i < 0 || s.start[i] > len(s.data) || p.step() != nil {
			return nil
		}
		l := pdfLexer{buf: s.data, pos: s.start[i]}
		v, err := l.value(0)
		if err != nil {
			return nil
		}
		return v
	}
	return nil
}

// objects unpacks object stream num.
func (p *pdfFile) objects(num int) *pdfObjects {
	if s, ok := p.streams[num]; ok {
		return s
	}
	var s *pdfObjects
	if num > 0 && num < len(p.xref) && p.xref[num].kind == 1 {
		if st, ok := p.load(num).(pdfStream); ok {
			s = p.unpack(st)
		}
	}
	if len(p.order) >= pdfCached {
		delete(p.streams, p.order[0])
		p.order = p.order[1:]
	}
	p.streams[num] = s
	p.order = append(p.order, num)
	return s
}

func (p *pdfFile) unpack(st pdfStream) *pdfObjects {
	data, err := p.stream(st)
	if err != nil {
		return nil
	}
	n, first := p.integer(st.dict["N"]), p.integer(st.dict["First"])
	if n < 0 || n > pdfMaxItems || first < 0 || first > len(data) {
		return nil
	}
	s := &pdfObjects{data: data}
	l := pdfLexer{buf: data[:first]}
	for range n {
		l.skip()
		num, ok1 := l.plain()
		l.skip()
		off, ok2 := l.plain()
		a, ok3 := num.(int64)
		b, ok4 := off.(int64)
		if !ok1 || !ok2 || !ok3 || !ok4 || a < 0 || a > pdfMaxObjects || b < 0 || b > int64(len(data)) {
			break
		}
		s.num = append(s.num, int(a))
		s.start = append(s.start, first+int(b))
	}
	return s
}

func (p *pdfFile) integer(v any) int {
	switch n := p.get(v).(type) {
	case int64:
		if n >= -1<<31 && n < 1<<31 {
			return int(n)
		}
	case float64:
		if n >= -1<<31 && n < 1<<31 {
			return int(n)
		}
	}
	return -1
}

func (p *pdfFile) dict(v any) pdfDict {
	switch d := p.get(v).(type) {
	case pdfDict:
		return d
	case pdfStream:
		return d.dict
	}
	return nil
}

func (p *pdfFile) array(v any) pdfArray {
	a, _ := p.get(v).(pdfArray)
	return a
}

// stream gives the unpacked bytes of a stream.
func (p *pdfFile) stream(st pdfStream) ([]byte, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	if p.decoded >= pdfMaxDecoded {
		return nil, errPDFLimit
	}
	n := p.integer(st.dict["Length"])
	if n < 0 || !p.endsAt(st.offset+int64(n)) {
		var err error
		if n, err = p.findEnd(st.offset); err != nil {
			return nil, err
		}
	}
	if n > pdfMaxStream {
		return nil, errPDFLimit
	}
	if n == 0 {
		return nil, nil
	}
	raw, err := p.bytes(st.offset, n)
	if err != nil {
		return nil, err
	}
	kind := p.get(st.dict["Type"])
	p.decoded += len(raw) / 8 // reading costs too
	if p.crypt != nil && kind != pdfName("XRef") && (p.crypt.metadata || kind != pdfName("Metadata")) {
		raw = p.crypt.decrypt(raw, st.num, st.gen, p.crypt.streams)
	}
	var filters []pdfName
	var parms []pdfDict
	switch f := p.get(st.dict["Filter"]).(type) {
	case pdfName:
		filters, parms = []pdfName{f}, []pdfDict{p.dict(st.dict["DecodeParms"])}
	case pdfArray:
		list := p.array(st.dict["DecodeParms"])
		for i, v := range f {
			name, _ := p.get(v).(pdfName)
			filters = append(filters, name)
			if i < len(list) {
				parms = append(parms, p.dict(list[i]))
			} else {
				parms = append(parms, nil)
			}
			if i >= 8 {
				break
			}
		}
	}
	out, err := pdfDecode(raw, filters, parms, min(pdfMaxStream, pdfMaxDecoded-p.decoded))
	p.decoded += len(out)
	return out, err
}

// endsAt says whether "endstream" stands at off, white space before it.
func (p *pdfFile) endsAt(off int64) bool {
	buf, err := p.bytes(off, 16)
	return err == nil && bytes.HasPrefix(bytes.TrimLeft(buf, " \r\n\t\x00"), []byte("endstream"))
}

// findEnd measures a stream whose Length is wrong.
func (p *pdfFile) findEnd(off int64) (int, error) {
	buf, err := p.bytes(off, pdfMaxStream)
	if err != nil {
		return 0, err
	}
	p.decoded += len(buf) / 8 // looking costs too
	if p.decoded > pdfMaxDecoded {
		return 0, errPDFLimit
	}
	n := bytes.Index(buf, []byte("endstream"))
	if n < 0 {
		return 0, errPDFXref
	}
	return len(bytes.TrimRight(buf[:n], "\r\n")), nil
}
