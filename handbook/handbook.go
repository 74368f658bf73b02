// Package handbook holds the text of The Wenlan Handbook, in Markdown: one
// folder a language, one file a chapter, in the order of their names. The first
// line of each is its title. internal/handbook makes EPUB of it.
package handbook

import "embed"

// Files holds en/*.md and zh/*.md.
//
//go:embed en/*.md zh/*.md
var Files embed.FS
