// Package query reads what people type into the search field: text in, a tree of
// analysed tokens out. Anything typed has a meaning; there is no error.
//
// # The language
//
//	darwin origin             records that have both words, wherever they stand
//	"origin of species"       these words side by side, as they are: no typos are forgiven
//	origin OR descent         either word; OR in capitals, binds its two neighbours
//	(origin OR descent) man   parentheses group
//	darwin -origin            without the word; also -"a phrase", -(a group), -title:word
//	evol*                     words that begin so
//	title:origin              in titles; 题名: 书名:
//	author:darwin             among creators; 作者:
//	subject:biology           among subjects; 主题: 关键词:
//	in:nature                 in the name of the journal or series; 刊名: 丛书:
//	publisher:murray          publisher or place; 出版者: 出版社:
//	abstract:selection        in abstracts; 摘要:
//	text:whale                inside open books and papers; 全文:
//	isbn:0439554934           also issn: doi: arxiv: id:, in any written form
//	year:1859                 also 1850..1860, 1850-1860, 1850.., ..1860, >1850, <=1860, 1850s; 年:
//	lang:zh,en                any of these languages, by code or name; 语言:
//	kind:book,article         any of these kinds; 类型:
//
// A field takes what stands next: a word, a phrase, or a group, as in
// title:(origin OR descent). [Help] gives this table to those who show it.
//
// Chinese and full-width punctuation means what its ASCII counterpart does: ：（）＊
// and all kinds of quotation marks, 《》 and 「」 among them. A Chinese word matches
// where its characters stand side by side, simplified or traditional. A word in
// Latin letters that may be pinyin (hongloumeng, hong2lou2meng4, hlm, or several
// words: hong lou meng) is also looked for among the readings of titles and names;
// one that may be an identifier, among the identifiers. These are alternatives,
// never instead of the word ([Or.Alternatives]), and not in what is excluded.
//
// # Oddities
//
// What cannot be meant is read as words: title: with nothing after it, year:abc,
// lang:python3. A quotation mark that is not closed is left out, and so is a
// parenthesis, an OR or AND (in capitals, which says what holds anyway) with
// nothing to join, two dashes, a dash between spaces. Parentheses deeper than four
// only part words. Filters (year, lang, kind) hold for the whole query, wherever
// they stand: two languages are any of them, two ranges of years are what is in
// both, or the later one when nothing is. OR cannot take an exclusion: "a OR -b" is
// "a -b". A text without letters or digits matches nothing, but * alone is
// everything, as is no text. Of a text, 2 KiB count and 32 words and phrases, of a
// phrase 64 tokens.
//
// # Promises
//
// [Parse] costs a time bounded by these limits, and the tree is at most [MaxDepth]
// deep. [Query.String] is a normal form that means the same: parsed again it gives
// the same tree, filters and normal form.
package query
