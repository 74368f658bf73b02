package torrent

import (
	"bytes"
	"math"
	"strconv"

	"wenlan/internal/errs"
)

// Bencoding, BEP 3. Only what is needed: writing, and reading what clients send
// behind a strict bound. Keys are written sorted, by whoever calls.

func benString[T string | []byte](b *bytes.Buffer, s T) {
	b.WriteString(strconv.Itoa(len(s)))
	b.WriteByte(':')
	b.Write([]byte(s))
}

func benInt(b *bytes.Buffer, n int64) {
	b.WriteByte('i')
	b.WriteString(strconv.FormatInt(n, 10))
	b.WriteByte('e')
}

const (
	benDepth = 8
	benItems = 4096
)

// benDecode reads one value at the start of data: int64, []byte, []any or
// map[string]any, and how many bytes it took. It is strict in lengths and numbers;
// the order of keys is not checked, because clients get it wrong.
func benDecode(data []byte) (value any, n int, err error) {
	d := &benDecoder{data: data, items: benItems}
	v, ok := d.value(benDepth)
	if !ok {
		return nil, 0, errs.New(errs.Refused, "not bencoded: wrong at byte %d", d.at)
	}
	return v, d.at, nil
}

type benDecoder struct {
	data  []byte
	at    int
	items int
}

func (d *benDecoder) peek() byte {
	if d.at >= len(d.data) {
		return 0
	}
	return d.data[d.at]
}

func (d *benDecoder) value(depth int) (any, bool) {
	if d.items--; depth == 0 || d.items < 0 {
		return nil, false
	}
	switch c := d.peek(); {
	case c == 'i':
		d.at++
		return d.number('e')
	case c >= '0' && c <= '9':
		return d.text()
	case c == 'l':
		d.at++
		list := []any{}
		for d.peek() != 'e' {
			v, ok := d.value(depth - 1)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		d.at++
		return list, true
	case c == 'd':
		d.at++
		dict := map[string]any{}
		for d.peek() != 'e' {
			k, ok := d.text()
			if !ok {
				return nil, false
			}
			v, ok := d.value(depth - 1)
			if !ok {
				return nil, false
			}
			dict[string(k)] = v
		}
		d.at++
		return dict, true
	}
	return nil, false
}

func (d *benDecoder) text() ([]byte, bool) {
	if c := d.peek(); c < '0' || c > '9' {
		return nil, false
	}
	n, ok := d.number(':')
	if !ok || n > int64(len(d.data)-d.at) {
		return nil, false
	}
	s := d.data[d.at : d.at+int(n)]
	d.at += int(n)
	return s, true
}

// number reads digits up to end: no leading zeros, no "-0".
func (d *benDecoder) number(end byte) (int64, bool) {
	from := d.at
	neg := end == 'e' && d.peek() == '-'
	if neg {
		d.at++
	}
	first := d.at
	var n int64
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		if n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
		d.at++
	}
	digits := d.at - first
	if d.peek() != end || digits == 0 || (digits > 1 && d.data[first] == '0') || (neg && n == 0) {
		d.at = from
		return 0, false
	}
	d.at++
	if neg {
		n = -n
	}
	return n, true
}
