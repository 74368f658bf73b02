package handbook

import (
	"bytes"
	"embed"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// The lettering of the covers, as portable bitmaps (P4).
//
//go:embed *.pbm
var lettering embed.FS

const coverWidth, coverHeight = 600, 860

// The four inks of a cover; with four, a pixel takes two bits.
const (
	paper = iota
	cloth
	ink
	vermilion
)

// drawCover draws a thread-bound volume with a title slip for the Chinese
// edition, and a plain cloth binding for the English one.
func (e edition) drawCover() ([]byte, error) {
	img := image.NewPaletted(image.Rect(0, 0, coverWidth, coverHeight), color.Palette{
		paper: color.RGBA{0xf6, 0xee, 0xdc, 255}, cloth: color.RGBA{0x2f, 0x45, 0x5c, 255},
		ink: color.RGBA{0x1c, 0x1a, 0x17, 255}, vermilion: color.RGBA{0xb5, 0x39, 0x1f, 255},
	})
	fill := func(x0, y0, x1, y1 int, c uint8) {
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				img.SetColorIndex(x, y, c)
			}
		}
	}
	frame := func(x0, y0, x1, y1, w int, c uint8) {
		fill(x0, y0, x1, y0+w, c)
		fill(x0, y1-w, x1, y1, c)
		fill(x0, y0, x0+w, y1, c)
		fill(x1-w, y0, x1, y1, c)
	}
	fill(0, 0, coverWidth, coverHeight, cloth)
	var seal image.Point
	switch e.folder {
	case "zh": // bound on the right, four stitches and the two at the corners
		const spine = coverWidth - 70
		fill(spine, 0, spine+3, coverHeight, paper)
		for _, y := range []int{40, 235, 430, 625, 820} {
			fill(spine, y-1, coverWidth, y+2, paper)
			fill(spine-3, y-4, spine+6, y+5, paper)
		}
		fill(52, 60, 196, 640, paper) // the slip, at the upper left
		frame(58, 66, 190, 634, 3, ink)
		frame(64, 72, 184, 628, 1, ink)
		if err := stamp(img, e.lettering, 72, 96, ink); err != nil {
			return nil, err
		}
		seal = image.Pt(98, 530)
	default:
		frame(36, 36, coverWidth-36, coverHeight-36, 4, paper)
		frame(46, 46, coverWidth-46, coverHeight-46, 1, paper)
		fill(90, 180, coverWidth-90, 450, paper)
		frame(98, 188, coverWidth-98, 442, 2, ink)
		if err := stamp(img, e.lettering, 100, 212, ink); err != nil {
			return nil, err
		}
		seal = image.Pt(coverWidth/2-26, 640)
	}
	fill(seal.X, seal.Y, seal.X+52, seal.Y+86, vermilion)
	if err := stamp(img, "seal.pbm", seal.X+8, seal.Y+7, paper); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.NoCompression} // the same bytes from any version of Go
	if err := enc.Encode(&out, img); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// stamp puts the set points of a bitmap onto the cover.
func stamp(img *image.Paletted, name string, x0, y0 int, c uint8) error {
	data, err := lettering.ReadFile(name)
	if err != nil {
		return err
	}
	var w, h int
	if n, err := fmt.Sscanf(string(data[:min(len(data), 32)]), "P4\n%d %d\n", &w, &h); n != 2 {
		return fmt.Errorf("%s is not a bitmap: %w", name, err)
	}
	row := (w + 7) / 8
	if len(data) < row*h {
		return fmt.Errorf("%s is cut short", name)
	}
	data = data[len(data)-row*h:]
	for y := range h {
		for x := range w {
			if data[y*row+x/8]&(0x80>>(x%8)) != 0 {
				img.SetColorIndex(x0+x, y0+y, c)
			}
		}
	}
	return nil
}
