package format

import (
	"bytes"
	"regexp"
	"strconv"
)

// set notes where an object is, unless a newer section said so before.
func (p *pdfFile) set(num int, e pdfEntry, replace bool) error {
	if num < 0 || num >= pdfMaxObjects {
		return errPDFLimit
	}
	for num >= len(p.xref) {
		p.xref = append(p.xref, make([]pdfEntry, num+1-len(p.xref))...)
	}
	if replace || p.xref[num].kind == 0 {
		p.xref[num] = e
	}
	return nil
}

// table reads the chain of cross-reference sections, newest first.
func (p *pdfFile) table(offset int64) error {
	seen := map[int64]bool{}
	queue := []int64{offset}
	for len(queue) > 0 {
		off := queue[0]
		queue = queue[1:]
		if seen[off] {
			continue
		}
		if len(seen) >= pdfMaxSections {
			return errPDFLimit
		}
		seen[off] = true
		if off < 0 {
			return errPDFXref
		}
		head, err := p.bytes(p.base+off, 64)
		if err != nil {
			return err
		}
		var d pdfDict
		if bytes.HasPrefix(bytes.TrimLeft(head, " \r\n\t"), []byte("xref")) {
			d, err = p.classic(p.base + off)
		} else {
			d, err = p.packed(p.base + off)
		}
		if err != nil {
			return err
		}
		if p.trailer == nil {
			p.trailer = d
		}
		for _, key := range []pdfName{"XRefStm", "Prev"} {
			switch n := d[key].(type) {
			case int64:
				queue = append(queue, n)
			case float64:
				queue = append(queue, int64(n))
			}
		}
	}
	return nil
}

// classic reads a table "xref … trailer <<…>>" (7.5.4).
func (p *pdfFile) classic(off int64) (pdfDict, error) {
	for n := 64 << 10; ; n *= 8 {
		buf, err := p.bytes(off, n)
		if err != nil {
			return nil, err
		}
		d, err := p.rows(buf)
		if err == errPDFEnd && len(buf) == n && n < pdfMaxObjects*20 {
			continue
		}
		return d, err
	}
}

func (p *pdfFile) rows(buf []byte) (pdfDict, error) {
	l := pdfLexer{buf: buf}
	l.skip()
	l.pos += len("xref")
	for {
		v, err := l.value(0)
		if err != nil {
			return nil, err
		}
		if v == pdfOp("trailer") {
			break
		}
		first, ok := v.(int64)
		if !ok {
			return nil, errPDFXref
		}
		l.skip()
		v, _ = l.plain()
		count, ok := v.(int64)
		if !ok || first < 0 || count < 0 || first+count > pdfMaxObjects {
			return nil, errPDFXref
		}
		for i := range count {
			if err := p.step(); err != nil {
				return nil, err
			}
			l.skip()
			at, ok1 := l.plain()
			l.skip()
			gen, ok2 := l.plain()
			l.skip()
			if l.pos >= len(buf) {
				return nil, errPDFEnd
			}
			a, ok3 := at.(int64)
			g, ok4 := gen.(int64)
			if !ok1 || !ok2 || !ok3 || !ok4 {
				return nil, errPDFXref
			}
			e := pdfEntry{kind: 3}
			if buf[l.pos] == 'n' {
				e = pdfEntry{kind: 1, gen: uint16(g), at: a}
			} else if buf[l.pos] != 'f' {
				return nil, errPDFXref
			}
			l.pos++
			if err := p.set(int(first+i), e, false); err != nil {
				return nil, err
			}
		}
	}
	v, err := l.value(0)
	if err != nil {
		return nil, err
	}
	d, ok := v.(pdfDict)
	if !ok {
		return nil, errPDFXref
	}
	return d, nil
}

// packed reads a cross-reference stream (7.5.8).
func (p *pdfFile) packed(off int64) (pdfDict, error) {
	_, _, obj, err := p.at(off)
	if err != nil {
		return nil, err
	}
	st, ok := obj.(pdfStream)
	if !ok || st.dict["Type"] != pdfName("XRef") {
		return nil, errPDFXref
	}
	data, err := p.stream(st)
	if err != nil {
		return nil, err
	}
	var w [3]int
	widths := p.array(st.dict["W"])
	if len(widths) < 3 {
		return nil, errPDFXref
	}
	for i := range w {
		if w[i] = p.integer(widths[i]); w[i] < 0 || w[i] > 8 {
			return nil, errPDFXref
		}
	}
	row := w[0] + w[1] + w[2]
	if row == 0 {
		return nil, errPDFXref
	}
	index := p.array(st.dict["Index"])
	if len(index) == 0 {
		index = pdfArray{int64(0), int64(p.integer(st.dict["Size"]))}
	}
	for i := 0; i+1 < len(index); i += 2 {
		first, count := p.integer(index[i]), p.integer(index[i+1])
		if first < 0 || count < 0 {
			return nil, errPDFXref
		}
		for n := first; n < first+count && len(data) >= row; n++ {
			if err := p.step(); err != nil {
				return nil, err
			}
			var field [3]int64
			at := 0
			for k := range field {
				for range w[k] {
					field[k] = field[k]<<8 | int64(data[at])
					at++
				}
			}
			data = data[row:]
			if w[0] == 0 {
				field[0] = 1
			}
			e := pdfEntry{kind: 3}
			if field[0] == 1 || field[0] == 2 {
				e = pdfEntry{kind: byte(field[0]), gen: uint16(field[2]), at: field[1]}
			}
			if err := p.set(n, e, false); err != nil {
				return nil, err
			}
		}
	}
	return st.dict, nil
}

var pdfObjHead = regexp.MustCompile(`(?:^|[\r\n \t>])(\d{1,10})[ \t\r\n]+(\d{1,5})[ \t\r\n]+obj\b`)

// rebuild finds the objects by reading the whole file, as viewers do; the last
// object of a number counts.
func (p *pdfFile) rebuild() error {
	p.xref, p.trailer, p.crypt, p.rebuilt = nil, pdfDict{}, nil, true
	clear(p.streams)
	p.order = nil
	const chunk, overlap = 1 << 20, 64
	var packed []int
	for off := int64(0); off < p.size; off += chunk {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		buf, err := p.bytes(off, chunk+overlap)
		if err != nil {
			return err
		}
		for _, m := range pdfObjHead.FindAllSubmatchIndex(buf, -1) {
			if m[2] >= chunk {
				break
			}
			num, _ := strconv.Atoi(string(buf[m[2]:m[3]]))
			if num <= 0 || num >= pdfMaxObjects {
				continue
			}
			if err := p.set(num, pdfEntry{kind: 1, at: off + int64(m[2]) - p.base}, true); err != nil {
				return err
			}
			_, _, obj, err := p.at(off + int64(m[2]))
			if err := p.fatal(err); err != nil {
				return err
			}
			st, ok := obj.(pdfStream)
			switch {
			case ok && st.dict["Type"] == pdfName("ObjStm"):
				packed = append(packed, num)
			case ok && st.dict["Type"] == pdfName("XRef"):
				p.adopt(st.dict)
			case !ok && p.trailer["Root"] == nil:
				if d, _ := obj.(pdfDict); d["Type"] == pdfName("Catalog") {
					p.trailer["Root"] = pdfRef{num, 0}
				}
			}
		}
		for at := 0; ; {
			i := bytes.Index(buf[at:], []byte("trailer"))
			if i < 0 || at+i >= chunk {
				break
			}
			at += i + len("trailer")
			if more, err := p.bytes(off+int64(at), 8192); err == nil {
				l := pdfLexer{buf: more}
				if v, err := l.value(0); err == nil {
					d, _ := v.(pdfDict)
					p.adopt(d)
				}
			}
			if err := p.step(); err != nil {
				return err
			}
		}
	}
	if p.trailer["Encrypt"] != nil {
		if err := p.unlock(); err != nil {
			return err
		}
	}
	for _, num := range packed {
		s := p.objects(num)
		if s == nil {
			continue
		}
		for i, n := range s.num {
			if err := p.step(); err != nil {
				return err
			}
			if err := p.set(n, pdfEntry{kind: 2, at: int64(num), gen: uint16(i)}, false); err != nil {
				return err
			}
		}
	}
	if p.dict(p.trailer["Root"]) == nil {
		return errPDFXref
	}
	return nil
}

// adopt takes over what a trailer found by rebuild says.
func (p *pdfFile) adopt(d pdfDict) {
	for _, key := range []pdfName{"Root", "Info", "ID", "Encrypt"} {
		if d[key] != nil {
			p.trailer[key] = d[key]
		}
	}
}
