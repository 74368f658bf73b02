package torrent

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"reflect"
	"strings"
	"testing"
)

// FuzzManifest: whatever is read as a manifest makes a torrent whose paths stay in
// its folder, and is the same when it is written and read again.
func FuzzManifest(f *testing.F) {
	m := &Manifest{PieceLength: PieceSmall, Files: []File{
		{SHA256: strings.Repeat("0a", 32), Bytes: 1, Pieces: make([]byte, 20)},
		{SHA256: strings.Repeat("0b", 32), Bytes: PieceSmall + 1, Pieces: make([]byte, 40)},
	}}
	good, err := m.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(strings.Replace(string(good), strings.Repeat("0a", 32), "../../etc/passwd", 1)))
	f.Add([]byte(`{"piece_length":4194304,"files":[{"sha256":"","bytes":9007199254740991,"pieces":""}]}`))
	f.Add([]byte(`{"piece_length":1048576,"files":[{}],"Files":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseManifest(raw)
		if err != nil {
			return
		}
		sum := sha256.Sum256(raw)
		info := m.Info(hex.EncodeToString(sum[:]))
		v, n, err := decodeAll(info)
		if err != nil || n != len(info) {
			t.Fatalf("the torrent is not bencoded: %v", err)
		}
		d := v.(map[string]any)
		var total int64
		for _, one := range d["files"].([]any) {
			file := one.(map[string]any)
			total += file["length"].(int64)
			path := file["path"].([]any)
			name := string(path[len(path)-1].([]byte))
			if len(path) == 2 && string(path[0].([]byte)) == padFolder && strings.Trim(name, "0123456789") == "" {
				continue
			}
			if len(path) != 1 || strings.Trim(name, "0123456789abcdef") != "" || len(name) != 64 {
				t.Fatalf("a path is %q", path)
			}
		}
		if total != int64(m.Pieces())*m.PieceLength || len(d["pieces"].([]byte)) != m.Pieces()*sha1.Size {
			t.Fatal("lengths and pieces do not agree")
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m2, err := ParseManifest(again)
		if err != nil || !reflect.DeepEqual(m, m2) {
			t.Fatalf("it is another when written and read: %v", err)
		}
	})
}

// decodeAll is benDecode without a bound on the number of items.
func decodeAll(data []byte) (any, int, error) {
	d := &benDecoder{data: data, items: 1 << 20}
	v, ok := d.value(benDepth)
	if !ok {
		return nil, 0, io.ErrUnexpectedEOF
	}
	return v, d.at, nil
}

// benEncode writes what benDecode reads, for the test.
func benEncode(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case int64:
		benInt(b, v)
	case []byte:
		benString(b, v)
	case []any:
		b.WriteByte('l')
		for _, one := range v {
			benEncode(b, one)
		}
		b.WriteByte('e')
	case map[string]any:
		b.WriteByte('d')
		for k, one := range v {
			benString(b, k)
			benEncode(b, one)
		}
		b.WriteByte('e')
	}
}

// FuzzBencode: what is read is the same when it is written and read again.
func FuzzBencode(f *testing.F) {
	for _, s := range []string{"i1e", "i-1e", "i-0e", "i01e", "4:spam", "le", "li1e3:abce", "d1:ad1:bi2eee", "99999999999999999999:", "d", "d1:", strings.Repeat("l", 100), "i9223372036854775807e"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, n, err := benDecode(raw)
		if err != nil {
			return
		}
		if n > len(raw) {
			t.Fatal("beyond the end")
		}
		var b bytes.Buffer
		benEncode(&b, v)
		v2, n2, err := benDecode(b.Bytes())
		if err != nil || n2 != b.Len() || !reflect.DeepEqual(v, v2) {
			t.Fatalf("%q: %v", b.Bytes(), err)
		}
	})
}

// FuzzWire: messages of a hostile client.
func FuzzWire(f *testing.F) {
	f.Add([]byte(protocol + strings.Repeat("\x00", 28) + strings.Repeat("x", 20)))
	f.Add(appendMessage(appendMessage(nil, msgRequest, make([]byte, 12)...), msgExtended, []byte("\x00d1:md11:ut_metadatai3eee")...))
	f.Add([]byte("\xff\xff\xff\xff\x05"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x14"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bytes.NewReader(raw)
		if hs, err := readHead(r); err == nil {
			_ = hs.readID(r)
		} else {
			r = bytes.NewReader(raw)
		}
		for {
			m, err := readMessage(r)
			if err != nil {
				return
			}
			if m.id != msgExtended || m.alive {
				continue
			}
			if len(m.payload) == 0 {
				t.Fatal("an extended message without a number")
			}
			metadataOf(m.payload[1:])
			if piece, ok := metadataRequest(m.payload[1:]); ok {
				if _, _, err := benDecode(metadataAnswer(1, make([]byte, 40_000), piece)[1:]); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
