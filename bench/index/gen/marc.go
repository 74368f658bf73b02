package gen

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
)

// languages are those of the records as MARC writes them (the MARC Code List for Languages).
var languages = map[string]string{"en": "eng", "zh": "chi", "de": "ger", "fr": "fre", "es": "spa", "ru": "rus", "ja": "jpn",
	"it": "ita", "pt": "por", "la": "lat", "ko": "kor", "nl": "dut", "pl": "pol", "ar": "ara"}

// MARC writes records from to to-1 as MARC 21 in ISO 2709 and UTF-8, with the text of
// [Vocabulary.Simple].
func (v *Vocabulary) MARC(w io.Writer, from, to int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	for i := from; i < to; i++ {
		if _, err := out.Write(v.marc(i)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// marc is record i: leader, directory, fields (ISO 2709, sections 4 and 5).
func (v *Vocabulary) marc(i int) []byte {
	const field, subfield, end = '\x1e', '\x1f', '\x1d'
	x := v.record(i)
	var directory, data []byte
	add := func(tag, text string) {
		directory = fmt.Appendf(directory, "%s%04d%05d", tag, len(text)+1, len(data))
		data = append(append(data, text...), field)
	}
	sub := func(code byte, text string) string { return string([]byte{subfield, code}) + text }
	add("001", strconv.Itoa(i))
	add("008", fmt.Sprintf("260101s%04d    xx            000 0 %s d", x.year, languages[x.language]))
	if x.kind == "book" {
		add("020", "  "+sub('a', x.identifier))
	} else {
		add("024", "7 "+sub('a', x.identifier)+sub('2', "doi"))
	}
	add("100", "1 "+sub('a', x.persons[0]))
	add("245", "10"+sub('a', x.title))
	add("260", "  "+sub('b', x.publisher)+sub('c', strconv.Itoa(x.year)))
	if x.abstract != "" {
		add("520", "  "+sub('a', x.abstract))
	}
	for _, s := range x.subjects {
		add("650", " 4"+sub('a', s))
	}
	for _, p := range x.persons[1:] {
		add("700", "1 "+sub('a', p))
	}
	level := "m"
	if x.kind != "book" {
		level = "b" // a part of a serial
	}
	base := 24 + len(directory) + 1
	record := fmt.Appendf(nil, "%05dna%s a22%05d i 4500", base+len(data)+1, level, base)
	record = append(append(record, directory...), field)
	return append(append(record, data...), end)
}
