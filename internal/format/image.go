package format

import (
	"bytes"
	"encoding/binary"
	"image"
	_ "image/gif"  // for image.DecodeConfig
	_ "image/jpeg" // likewise
	_ "image/png"  // likewise
)

// newCover takes a picture as a cover when it is a JPEG, PNG, GIF or WebP of
// reasonable size. Drawings (SVG) can act, and are not covers here.
func newCover(data []byte) *Cover {
	if len(data) == 0 || len(data) > MaxCover {
		return nil
	}
	width, height, kind := imageSize(data)
	if kind == "" || width <= 0 || height <= 0 || width > maxImageSide || height > maxImageSide || width*height > maxImagePixels {
		return nil
	}
	return &Cover{MediaType: kind, Data: data}
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
