package format

import "time"

// The limits within which a file is read. Beyond them it is refused, or what is
// beyond is left out, as each name says.
const (
	// MaxCover is the most bytes a cover may have; a larger one is left out.
	MaxCover = 10 << 20

	maxParseTime = 2 * time.Minute // of one Parse, when the context sets no earlier deadline

	maxDirectory  = 16 << 20 // bytes that may be read to list an archive
	maxEntries    = 50_000   // files in an archive
	maxEntryBytes = 2 << 30  // one file in an archive, unpacked
	maxUnpacked   = 8 << 30  // all files in an archive, unpacked
	maxRatio      = 200      // unpacked to packed, of a file longer than freeRatio
	freeRatio     = 8 << 20

	maxXML      = 8 << 20 // bytes of one metadata document
	maxXMLDepth = 100
	maxXMLNodes = 400_000

	maxMarkup      = 32 << 20  // bytes of one chapter
	maxMarkupTotal = 512 << 20 // bytes of all chapters that are read
	maxToken       = 16 << 20  // bytes of one tag or run of text between tags
	maxText        = 32 << 20  // bytes of a plain text, Markdown or HTML file
	maxSpine       = 20_000    // chapters

	maxImagePixels = 64 << 20 // of a cover
	maxImageSide   = 20_000

	maxTitle    = 1000   // characters of a title, name or label
	maxAbstract = 20_000 // characters
	maxValue    = 2000   // characters of an identifier or a rights text
	maxList     = 1000   // creators, subjects
	maxShort    = 50     // titles, languages, identifiers

	langSample = 64 << 10 // bytes of text from which the language is told
	hintSample = 64 << 10 // bytes of each chapter in which licences are looked for
	maxHints   = 5
)
