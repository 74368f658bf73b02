package format

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"image"
	_ "image/gif"  // for image.DecodeConfig
	_ "image/jpeg" // likewise
	_ "image/png"  // likewise
)

// newCover takes a picture as a cover when it is a JPEG, PNG, GIF or WebP of
// reasonable size, or an SVG. An SVG is a document that can do things: it may be
// shown as an image only, where browsers run and fetch nothing (SVG Integration,
// "secure static mode"), and under a policy that forbids both.
func newCover(data []byte) *Cover {
	if len(data) == 0 || len(data) > MaxCover {
		return nil
	}
	if isSVG(data) {
		return &Cover{MediaType: "image/svg+xml", Data: data}
	}
	width, height, kind := imageSize(data)
	if kind == "" || width <= 0 || height <= 0 || width > maxImageSide || height > maxImageSide || width*height > maxImagePixels {
		return nil
	}
	return &Cover{MediaType: kind, Data: data}
}

// isSVG says whether the root element is an svg. One that declares entities is
// not taken for one: they can grow without bounds.
func isSVG(data []byte) bool {
	dec := xml.NewDecoder(bytes.NewReader(data))
	for range 64 { // comments, a processing instruction, a doctype
		token, err := dec.RawToken()
		if err != nil {
			return false
		}
		switch token := token.(type) {
		case xml.Directive:
			if bytes.Contains(token, []byte("ENTITY")) {
				return false
			}
		case xml.StartElement:
			return token.Name.Local == "svg"
		}
	}
	return false
}

// imageSize reads the head of a picture; kind is "" for one that is not known.
func imageSize(data []byte) (width, height int, kind string) {
	if w, h, ok := webpSize(data); ok {
		return w, h, "image/webp"
	}
	config, name, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, 0, ""
	}
	return config.Width, config.Height, "image/" + name
}

// webpSize reads the head of a WebP file (RFC 9649, section 2).
func webpSize(data []byte) (width, height int, ok bool) {
	if len(data) < 30 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WEBP" {
		return 0, 0, false
	}
	switch string(data[12:16]) {
	case "VP8 ":
		return int(binary.LittleEndian.Uint16(data[26:]) & 0x3fff), int(binary.LittleEndian.Uint16(data[28:]) & 0x3fff), true
	case "VP8L":
		bits := binary.LittleEndian.Uint32(data[21:])
		return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, true
	case "VP8X":
		return int(data[24]) | int(data[25])<<8 | int(data[26])<<16 + 1, int(data[27]) | int(data[28])<<8 | int(data[29])<<16 + 1, true
	}
	return 0, 0, false
}
