// Package han folds the variants of Chinese characters to one, the simplified one,
// so that 紅樓夢 and 红楼梦 compare as equal. The table is fold.txt, made from OpenCC.
package han

import (
	_ "embed" // fold.txt
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed fold.txt
var foldText string

// Pairs calls use with each variant and the character that it folds to.
func Pairs(use func(from, to rune)) {
	for line := range strings.Lines(foldText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var from rune
		for _, r := range strings.TrimSpace(line) {
			if from == 0 {
				from = r
				continue
			}
			use(from, r)
			from = 0
		}
	}
}

var table = sync.OnceValue(func() map[rune]rune {
	t := map[rune]rune{}
	Pairs(func(from, to rune) { t[from] = to })
	return t
})

// Simplify folds the variants of Chinese characters in a text: traditional ones,
// and Japanese ones where that is safe, become simplified ones.
func Simplify(text string) string {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			t := table()
			return strings.Map(func(r rune) rune {
				if to, ok := t[r]; ok {
					return to
				}
				return r
			}, text)
		}
	}
	return text
}
