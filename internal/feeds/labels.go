package feeds

import (
	"net/http"
	"strings"

	"wenlan/internal/i18n"
	"wenlan/internal/record"
)

// labels are the few words of a feed that are not the library's own: titles of
// feeds, names of groups. The first column is English, the second Simplified
// Chinese; {} stands for the argument.
var labels = map[string][2]string{
	"new":          {"New arrivals", "新入藏"},
	"new.about":    {"The newest books first", "最近入藏的书在前"},
	"languages":    {"By language", "按语言浏览"},
	"kinds":        {"By kind", "按类型浏览"},
	"browse.about": {"{} groups", "共 {} 类"},
	"count":        {"{} records", "共 {} 条"},
	"search":       {"Search", "检索"},
	"results":      {"Search: {}", "检索：{}"},
	"language":     {"Language", "语言"},
	"kind":         {"Kind", "类型"},
	"unknown":      {"Unknown author", "佚名"},
	"publicdomain": {"Public domain", "公有领域"},
	"permission":   {"By permission of the rights holder", "经权利人许可"},
	"page":         {"Page of this book", "本书页面"},
	"complete":     {"Complete description", "完整著录"},

	"shelves":        {"Shelves", "书架"},
	"shelf":          {"Shelf {}", "第 {} 架"},
	"shelf.copies":   {"Verified copies: {}", "经核验的副本：{}"},
	"shelf.stopped":  {"Stopped: a file on it was withdrawn. Copies that others have made remain where they are.", "已停止：架上有一份文件被撤下。他人已有的副本仍在原处。"},
	"shelf.replaced": {"Replaced by shelf {}, because a file on it was withdrawn.", "架上有一份文件被撤下，已由第 {} 架替换。"},
	"shelf.broken":   {"Not given out: its list is not what the register says of it.", "不提供：它的清单与登记簿所载不符。"},

	"kind.book":    {"Books", "图书"},
	"kind.article": {"Articles", "文章"},
	"kind.chapter": {"Chapters", "章节"},
	"kind.thesis":  {"Theses", "学位论文"},
	"kind.report":  {"Reports", "报告"},
	"kind.issue":   {"Issues", "期刊"},
	"kind.dataset": {"Datasets", "数据集"},
	"kind.audio":   {"Audio", "音频"},
	"kind.image":   {"Images", "图像"},
	"kind.other":   {"Other", "其他"},
}

// voice speaks to one reader in one language.
type voice struct{ *i18n.Printer }

// voice is the language for a request; like the site, feeds let the URL's ui
// parameter and the cookie go before Accept-Language.
func (f *Feeds) voice(w http.ResponseWriter, r *http.Request) voice {
	w.Header().Add("Vary", "Accept-Language, Cookie")
	p, _ := f.words.Choose(r)
	return voice{p}
}

// say is the label for a key, with its argument.
func (v voice) say(key string, arg ...string) string {
	pair, ok := labels[key]
	if !ok {
		return key
	}
	text := pair[0]
	if strings.HasPrefix(v.Tag(), "zh") {
		text = pair[1]
	}
	return strings.ReplaceAll(text, "{}", strings.Join(arg, ""))
}

// kind is the name of a kind of works, in the plural.
func (v voice) kind(k string) string {
	if _, ok := labels["kind."+k]; !ok {
		k = string(record.Other)
	}
	return v.say("kind." + k)
}
