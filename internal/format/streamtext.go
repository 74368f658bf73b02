package format

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	utf8enc "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// inUTF8 is a stream of text in UTF-8. The encoding is that of a byte order mark, or
// else what the first bytes look like; what is UTF-8 so far stays as it is.
func inUTF8(r io.Reader) *bufio.Reader {
	b := bufio.NewReaderSize(r, 256<<10)
	head, _ := b.Peek(charsetSample)
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = b.Discard(3)
		return b
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		_, _ = b.Discard(2)
		return bufio.NewReaderSize(transform.NewReader(b, utf16LE.enc.NewDecoder()), 64<<10)
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		_, _ = b.Discard(2)
		return bufio.NewReaderSize(transform.NewReader(b, utf16BE.enc.NewDecoder()), 64<<10)
	}
	whole := head
	for i := 0; i < utf8.UTFMax-1 && len(whole) > 0 && !utf8.Valid(whole); i++ {
		whole = whole[:len(whole)-1] // a character may be cut off
	}
	if utf8.Valid(whole) {
		return b
	}
	return bufio.NewReaderSize(transform.NewReader(b, charsetOf(head).enc.NewDecoder()), 64<<10)
}

// charsetOf is the encoding that a text seems to be in that is not UTF-8; Windows-1252,
// which has Latin-1 in it, where it cannot be told.
func charsetOf(sample []byte) candidate {
	if n := invalidUTF8(string(sample)); n*20 < countHigh(sample) {
		return candidate{"utf-8", utf8enc.UTF8}
	}
	if _, name, _, err := decodeText(sample); err == nil {
		for _, c := range append(candidates, utf16LE, utf16BE) {
			if c.name == name {
				return c
			}
		}
	}
	return candidate{"windows-1252", charmap.Windows1252}
}
