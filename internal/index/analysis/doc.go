// Package analysis cuts text into the tokens of the index, the same way for what
// is stored and what is asked. It keeps nothing and reads no file; every function
// may be used by many goroutines at once, but an [Analyzer] by one.
//
// # Words
//
// Text is folded to compatibility forms (NFKC, Unicode Standard Annex 15: full and
// half width, ligatures, circled numbers), to lower case, and to letters without
// diacritics. Letters that Unicode does not decompose become what people write
// plainly: ß ss, æ ae, ø o, đ d, ı i; Cyrillic ё becomes е. Hebrew and Arabic
// points fall out, Persian letters become Arabic ones. Digits of every script
// become ASCII digits. An apostrophe between letters falls out ("don't"), after
// one or two letters it divides ("l'amour"). Everything else that is no letter,
// digit or mark parts words. Of a word 64 bytes count, of a field 64 KiB.
//
// Words of ASCII letters alone, of more than three, are cut to their English stem
// (Snowball's English stemmer, by Martin Porter), whatever language a record
// states: who asks does not say the language of a word, so a record's word cut to
// a French stem would be found only by those who guess that. Cutting what is asked
// by every stemmer would find it, at the price of several terms for each word and
// of words that have nothing in common; prefixes and tolerance for typos serve
// other languages well enough until a measurement says otherwise.
//
// # Scripts without spaces
//
// Runs of Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese give every pair
// of neighbours and then the last character alone: a run of n characters gives n
// tokens, and a part of it gives the same pairs. One character that is asked is
// the prefix of the pairs that begin with it, and of the last of runs.
//
// Traditional characters fold to simplified ones (package record/han, from OpenCC). Japanese
// forms fold likewise where no Chinese text writes them for another word: 図 and
// 広 do, 芸 does not.
//
// # Readings
//
// [Readings] gives the pinyin of titles and names: syllables without tones, ü as
// u, one reading a character (pinyin.txt, from pypinyin, whose tables come from
// Unicode's Unihan database and from dictionaries). Words that are read otherwise
// than their characters are looked up first, the longest one; surnames have their
// own readings in names. [ReadPinyin] reads what is typed. These tokens have
// [MarkReading] before them and so are never mistaken for words.
//
// # Identifiers
//
// [IDs] gives the tokens of an identifier, [IDForms] those of what a text may be as
// one. They have [MarkID] before them.
//
// # Changes
//
// A token that changes needs another format number of the index, for what is
// stored was cut the old way. testdata/analyze.golden holds the tokens of many
// texts; the tables are made by the program in gen.
package analysis
