// Package query reads what people type into the search field: text in, a tree of
// analysed terms out. Anything typed has a meaning; nothing is an error.
package query
