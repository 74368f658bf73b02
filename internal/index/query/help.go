package query

// Example is a line of help: what can be typed. Key names its explanation among
// the messages of a language.
type Example struct{ Key, Text, Chinese string }

// Help is the language by examples, in the order in which to show them: in
// English, and in Chinese where another one serves better.
func Help() []Example {
	return []Example{
		{"words", `darwin origin`, `红楼梦 曹雪芹`},
		{"phrase", `"origin of species"`, `《红楼梦》`},
		{"or", `origin OR descent`, `红楼梦 OR 石头记`},
		{"not", `darwin -origin`, `红楼梦 -研究`},
		{"group", `(origin OR descent) man`, `(红楼梦 OR 石头记) 脂评`},
		{"prefix", `evol*`, ``},
		{"title", `title:origin`, `题名:红楼梦`},
		{"author", `author:darwin`, `作者:曹雪芹`},
		{"subject", `subject:biology`, `主题:小说`},
		{"in", `in:nature`, `刊名:文学遗产`},
		{"publisher", `publisher:murray`, `出版者:中华书局`},
		{"abstract", `abstract:selection`, `摘要:版本`},
		{"text", `text:whale`, `全文:黛玉`},
		{"isbn", `isbn:0439554934`, ``},
		{"doi", `doi:10.1000/182`, ``},
		{"year", `year:1990..2000`, `年:1990..2000`},
		{"lang", `lang:zh,en`, `语言:中文,英文`},
		{"kind", `kind:article`, `类型:论文`},
		{"pinyin", `hongloumeng`, `hlm`},
	}
}
