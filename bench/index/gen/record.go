// Package gen makes bibliographic records and queries for the search benchmark:
// the same for the same seed on every machine, and record i the same in a library
// of any size, so that a larger one begins with the smaller.
//
// 40% of the records are Chinese, half have an abstract of 60 words, 12% are books;
// words, names, subjects and publishers follow Zipf's law, years an exponential
// one, and about one word of a hundred is rare or unique. Text is made of tokens
// already (lower-case words, and bigrams of Chinese characters), so that all
// engines index exactly the same terms: the race is between engines and not
// between analysers.
//
// The file has one record a line, with the columns of the constants below
// separated by tabs.
package gen

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
)

// The columns of the file of records.
const (
	ID        = iota
	Kind      // book or paper
	Title     // tokens
	Authors   // tokens; persons are not told apart
	Publisher // tokens
	Abstract  // tokens, or empty
	Year
	Language
	Subjects   // facet values, ";" between, "_" inside
	Identifier // ISBN-13 or DOI
	Format
	Columns
)

var (
	syllables = strings.Fields("ba ke li mo tu ra sen tor vi gla phe no xi dro cy mar qua zel wi jon hap est ur ib ol am eth os pri fen lac dul gor nis tek vam")
	surnames  = []rune("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤")
	given     = []rune("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰文建国志红海波宁春晓辉健俊峰浩宇轩子涵欣怡梓萱雨泽博思源天佑嘉诚晨曦佳琪雪梅云飞鹏斌凯帆亮东升立新永康庆德仁义信")
	others    = []string{"de", "fr", "es", "ru", "ja", "it", "pt", "la", "ko", "nl", "pl", "ar"}
)

// record is one record before it is written.
type record struct {
	kind, title, publisher, abstract, language, format, identifier string

	persons  []string
	words    []string // of the title, as drawn
	year     int
	subjects []string
}

// english draws n words; about one in a hundred is in no list.
func (v *Vocabulary) english(r *rand.Rand, n int) []string {
	words := make([]string, n)
	for i := range words {
		if r.IntN(1000) < 12 {
			words[i] = rare(r)
		} else {
			words[i] = v.en[v.enP.draw(r)]
		}
	}
	return words
}

func rare(r *rand.Rand) string {
	var b strings.Builder
	for n := 3 + r.IntN(2); n > 0; n-- {
		b.WriteString(syllables[r.IntN(len(syllables))])
	}
	return b.String()
}

func (v *Vocabulary) chinese(r *rand.Rand, n int) []string {
	words := make([]string, n)
	for i := range words {
		words[i] = v.zh[v.zhP.draw(r)]
	}
	return words
}

// record makes record i.
func (v *Vocabulary) record(i int) *record {
	r := rand.New(rand.NewPCG(uint64(i)+1, 0x9e3779b97f4a7c15))
	x := &record{}
	chinese := r.IntN(100) < 40
	book := r.IntN(100) < 12
	x.year = 2025 - int(math.Min(224, r.ExpFloat64()*16))
	if chinese {
		x.words = v.chinese(r, 6+r.IntN(5))
		x.title = strings.Join(x.words, "")
		x.language = "zh"
	} else {
		x.words = v.english(r, 8+r.IntN(5))
		x.title = strings.Join(x.words, " ")
		x.language = "en"
		if k := r.IntN(100); k < len(others) {
			x.language = others[k]
		}
	}
	for n := 1 + r.IntN(4); n > 0; n-- {
		if !chinese {
			x.persons = append(x.persons, v.names[v.nameP.draw(r)]+" "+v.names[v.nameP.draw(r)])
			continue
		}
		p := string(surnames[min(r.IntN(len(surnames)), r.IntN(len(surnames)))]) + string(given[r.IntN(len(given))])
		if r.IntN(3) > 0 {
			p += string(given[r.IntN(len(given))])
		}
		x.persons = append(x.persons, p)
	}
	publisher := v.publisherP.draw(r)
	x.publisher = v.publishers[publisher]
	for n := 1 + r.IntN(3); n > 0; n-- {
		if chinese {
			x.subjects = append(x.subjects, v.subjectsZH[v.subjectP.draw(r)])
		} else {
			x.subjects = append(x.subjects, v.subjectsEN[v.subjectP.draw(r)])
		}
	}
	if book {
		x.kind, x.identifier = "book", isbn13(i)
		x.format = []string{"epub", "pdf", "djvu", "mobi", "azw3"}[min(r.IntN(5), r.IntN(5))]
	} else {
		x.kind, x.identifier = "paper", fmt.Sprintf("10.%d/%s.%d", 1000+publisher, syllables[i%len(syllables)], i)
		x.format = []string{"pdf", "pdf", "html"}[r.IntN(3)]
	}
	if r.IntN(2) == 0 {
		if chinese {
			text := []rune(strings.Join(v.chinese(r, 60), ""))
			for k := 14; k < len(text); k += 15 {
				text[k] = ' ' // the end of a sentence
			}
			x.abstract = string(text)
		} else {
			x.abstract = strings.Join(v.english(r, 60), " ")
		}
	}
	return x
}

// isbn13 is a valid ISBN-13; see the ISBN Users' Manual, section 5.
func isbn13(i int) string {
	s := fmt.Sprintf("978%09d", (i*7919+13)%1_000_000_000)
	sum := 0
	for at, c := range s {
		d := int(c - '0')
		if at%2 == 1 {
			d *= 3
		}
		sum += d
	}
	return s + strconv.Itoa((10-sum%10)%10)
}

// Append writes record i as one line.
func (v *Vocabulary) Append(dst []byte, i int) []byte {
	x := v.record(i)
	dst = strconv.AppendInt(dst, int64(i), 10)
	dst = append(append(append(dst, '\t'), x.kind...), '\t')
	for _, text := range []string{x.title, strings.Join(x.persons, " ; "), x.publisher, x.abstract} {
		dst = append(tokens(dst, text), '\t')
	}
	dst = append(strconv.AppendInt(dst, int64(x.year), 10), '\t')
	dst = append(append(dst, x.language...), '\t')
	dst = append(append(dst, strings.ReplaceAll(strings.Join(x.subjects, ";"), " ", "_")...), '\t')
	dst = append(append(dst, x.identifier...), '\t')
	return append(append(dst, x.format...), '\n')
}

// tokens appends the terms of a text, with a space between: words of letters, and
// for a run of Chinese characters every pair of neighbours.
func tokens(dst []byte, text string) []byte {
	begin := len(dst)
	word, han := -1, -1
	flush := func(end int) {
		if word >= 0 {
			dst = append(append(dst, text[word:end]...), ' ')
		}
		if han >= 0 {
			run := []rune(text[han:end])
			if len(run) == 1 {
				dst = append(append(dst, text[han:end]...), ' ')
			}
			for i := 0; i+1 < len(run); i++ {
				dst = append(append(dst, string(run[i:i+2])...), ' ')
			}
		}
		word, han = -1, -1
	}
	for i, c := range text {
		switch {
		case c >= 0x4e00 && c <= 0x9fff:
			if word >= 0 {
				flush(i)
			}
			if han < 0 {
				han = i
			}
		case c == ' ' || c == ';':
			flush(i)
		default:
			if han >= 0 {
				flush(i)
			}
			if word < 0 {
				word = i
			}
		}
	}
	flush(len(text))
	if len(dst) > begin {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// Records writes records 0 to n-1 to a file, on all cores. The file appears whole
// or not at all.
func (v *Vocabulary) Records(path string, n int) error {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer f.Close()
	const chunk = 10_000
	order := make(chan chan []byte, 4) // bounds what waits in memory
	go func() {
		var wait sync.WaitGroup
		for from := 0; from < n; from += chunk {
			out := make(chan []byte, 1)
			order <- out
			wait.Go(func() {
				var b []byte
				for i := from; i < min(from+chunk, n); i++ {
					b = v.Append(b, i)
				}
				out <- b
			})
		}
		wait.Wait()
		close(order)
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	for out := range order {
		if _, werr := w.Write(<-out); werr != nil {
			err = werr // the others are drained
		}
	}
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
