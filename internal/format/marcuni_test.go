package format

import (
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"wenlan/internal/record"
)

// TestUNIMARC reads a record of CNMARC as the libraries of China write them, in UTF-8
// and in GBK.
func TestUNIMARC(t *testing.T) {
	raw := makeMARC("00000nam0 2200000   4500", "001 012001031516", "005 20050114", "010   $a978-7-02-000220-7$b精装$dCNY59.70", "100   $a20050114d1996    em y0chiy50      ea", "101 1 $achi$ceng", "102   $aCN$b110000",
		"200 1 $a红楼梦$Ahong lou meng$e脂评本$f曹雪芹, 高鹗著$gX译", "205   $a2版", "210   $a北京$c人民文学出版社$d1996", "215   $a3册$d21cm", "225 2 $a中国古典文学读本丛书$v12", "300   $a附注", "330   $a一部小说。", "314   $a责任者附注",
		"454  1$12001 $aThe story of the stone", "461  0$12001 $a四大名著$v3", "510 1 $aDream of the red chamber$zeng", "517 1 $a石头记", "606 0 $a章回小说$y中国$z清代", "610 0 $a古典小说", "690   $aI242.4$v4", "701  0$a曹雪芹$Acao xue qin$f(?-1763)$4著", "702  1$aHawkes$bDavid$4730", "801  0$aCN$bNLC", "905   $aX")
	want := record.Record{Title: "红楼梦: 脂评本", AltTitles: []string{"Dream of the red chamber", "石头记", "hong lou meng"},
		Creators: []record.Creator{{Name: "曹雪芹", AltNames: []string{"cao xue qin"}, Role: "aut"}, {Name: "David Hawkes", AltNames: []string{"Hawkes, David"}, Role: "trl"}},
		Kind:     record.Book, Languages: []string{"zh"}, Issued: "1996", Publisher: "人民文学出版社", Place: "北京", Container: &record.Container{Title: "四大名著", Volume: "3"}, Abstract: "一部小说。",
		Subjects:  []record.Subject{{Label: "章回小说--中国--清代"}, {Label: "古典小说"}, {Scheme: "clc", Code: "I242.4", Label: "I242.4"}},
		IDs:       []record.ID{{Scheme: "isbn", Value: "9787020002207"}},
		Relations: []record.Relation{{Type: record.TranslationOf, Title: "The story of the stone"}}}
	gbk, err := simplifiedchinese.GBK.NewEncoder().Bytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"UTF-8": raw, "GBK": gbk} {
		d := readMARC(t, raw)
		if !reflect.DeepEqual(d.Record, want) || d.ID != "012001031516" {
			t.Errorf("%s: %s\nnot %s", name, asJSON(d.Record), asJSON(want))
		}
		if d.Extra["500"][0] != "附注" || d.Extra["unimarc 314"][0] != "责任者附注" || d.Extra["250"][0] != "2版" || !strings.Contains(d.Extra["unimarc 010"][0], "CNY59.70") {
			t.Errorf("%s: %v", name, d.Extra)
		}
	}
}
