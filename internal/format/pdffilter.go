package format

import (
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"errors"
	"io"
)

const (
	pdfMaxStream  = 32 << 20  // bytes of one unpacked stream
	pdfMaxDecoded = 256 << 20 // bytes of all unpacked streams of one file
)

var errPDFFilter = errors.New("pdf: a filter that is not read here")

// pdfDecode undoes the filters of a stream (7.4). What a damaged stream gives
// before the damage is kept.
func pdfDecode(raw []byte, filters []pdfName, parms []pdfDict, limit int) ([]byte, error) {
	if len(filters) > 8 {
		return nil, errPDFFilter
	}
	out := raw
	for i, name := range filters {
		var parm pdfDict
		if i < len(parms) {
			parm = parms[i]
		}
		switch name {
		case "FlateDecode", "Fl":
			r, err := zlib.NewReader(bytes.NewReader(out))
			if err != nil {
				return nil, err
			}
			out, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
			if err != nil && len(out) == 0 {
				return nil, err
			}
		case "LZWDecode", "LZW":
			early := 1
			if n, ok := parm["EarlyChange"].(int64); ok && n == 0 {
				early = 0
			}
			out = lzwDecode(out, early, limit)
		case "ASCIIHexDecode", "AHx":
			l := pdfLexer{buf: append(append([]byte{'<'}, out...), '>')}
			v, err := l.hex()
			if err != nil {
				return nil, err
			}
			out = []byte(v.(pdfString))
		case "ASCII85Decode", "A85":
			if end := bytes.Index(out, []byte("~>")); end >= 0 {
				out = out[:end]
			}
			dst := make([]byte, 4*len(out)+4) // "z" stands for four zeros
			n, _, err := ascii85.Decode(dst, out, true)
			if err != nil && n == 0 {
				return nil, err
			}
			out = dst[:n]
		case "RunLengthDecode", "RL":
			out = runLengthDecode(out, limit)
		case "Crypt":
		default:
			return nil, errPDFFilter
		}
		if len(out) > limit {
			return nil, errPDFLimit
		}
		if name == "FlateDecode" || name == "Fl" || name == "LZWDecode" || name == "LZW" {
			var err error
			if out, err = pdfPredict(out, parm); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func pdfParm(d pdfDict, key pdfName, def int) int {
	if n, ok := d[key].(int64); ok && n >= 0 && n < 1<<20 {
		return int(n)
	}
	return def
}

// pdfPredict undoes a PNG predictor, or TIFF's for bytes (7.4.4.4).
func pdfPredict(data []byte, parm pdfDict) ([]byte, error) {
	kind := pdfParm(parm, "Predictor", 1)
	if kind < 2 {
		return data, nil
	}
	colors, bits, columns := pdfParm(parm, "Colors", 1), pdfParm(parm, "BitsPerComponent", 8), pdfParm(parm, "Columns", 1)
	if colors < 1 || colors > 64 || bits < 1 || bits > 16 || columns < 1 {
		return nil, errPDFFilter
	}
	step := max(1, colors*bits/8)
	row := (colors*bits*columns + 7) / 8
	if kind == 2 {
		if bits != 8 {
			return nil, errPDFFilter
		}
		for start := 0; start < len(data); start += row {
			for i := start + step; i < min(start+row, len(data)); i++ {
				data[i] += data[i-step]
			}
		}
		return data, nil
	}
	out := make([]byte, 0, len(data))
	prev := make([]byte, row)
	for len(data) > 1 {
		tag := data[0]
		line := data[1:min(row+1, len(data))]
		data = data[1+len(line):]
		for i := range line {
			var left, up, corner int
			if i >= step {
				left, corner = int(line[i-step]), int(prev[i-step])
			}
			up = int(prev[i])
			switch tag {
			case 1:
				line[i] += byte(left)
			case 2:
				line[i] += byte(up)
			case 3:
				line[i] += byte((left + up) / 2)
			case 4:
				p := left + up - corner
				a, b, c := abs(p-left), abs(p-up), abs(p-corner)
				switch {
				case a <= b && a <= c:
					line[i] += byte(left)
				case b <= c:
					line[i] += byte(up)
				default:
					line[i] += byte(corner)
				}
			}
		}
		out = append(out, line...)
		copy(prev, line)
	}
	return out, nil
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// lzwDecode reads PDF's LZW: most significant bit first, codes of 9 to 12 bits.
func lzwDecode(in []byte, early, limit int) []byte {
	type link struct {
		prev  int
		last  byte
		depth int
	}
	var table [4096]link
	for i := range 256 {
		table[i] = link{-1, byte(i), 1}
	}
	var out []byte
	next, width, prev := 258, 9, -1
	acc, bits := 0, 0
	word := func(code int) []byte {
		w := make([]byte, table[code].depth)
		for i := len(w) - 1; i >= 0; i-- {
			w[i] = table[code].last
			code = table[code].prev
		}
		return w
	}
	for _, c := range in {
		acc, bits = acc<<8|int(c), bits+8
		if bits < width {
			continue
		}
		bits -= width
		code := acc >> bits & (1<<width - 1)
		acc &= 1<<bits - 1
		switch {
		case code == 256:
			next, width, prev = 258, 9, -1
			continue
		case code == 257 || code > next || (code == next && prev < 0):
			return out
		}
		var w []byte
		if code < next {
			w = word(code)
		} else {
			w = word(prev)
			w = append(w, w[0])
		}
		out = append(out, w...)
		if len(out) > limit {
			return out
		}
		if prev >= 0 && next < 4096 {
			table[next] = link{prev, w[0], table[prev].depth + 1}
			next++
		}
		prev = code
		if next+early >= 1<<width && width < 12 {
			width++
		}
	}
	return out
}

func runLengthDecode(in []byte, limit int) []byte {
	var out []byte
	for len(in) > 1 && in[0] != 128 && len(out) <= limit {
		n := int(in[0])
		if n < 128 {
			n = min(n+1, len(in)-1)
			out = append(out, in[1:1+n]...)
			in = in[1+n:]
		} else {
			out = append(out, bytes.Repeat(in[1:2], 257-n)...)
			in = in[2:]
		}
	}
	return out
}
