package format

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // what pdftoppm writes
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/errs"
)

// Poppler runs Debian's poppler-utils for what the parsers here do not do:
// drawing the first page, and text out of PDFs in which ours finds none. Each
// run is a process of its own that reads one file and writes to a pipe; its
// time, address space and output are bounded, it gets no environment of ours,
// and no shell is asked. It is safe for concurrent use.
//
// Nothing in this package calls it: intake does, with the path of a file that
// [Parse] has already accepted.
type Poppler struct {
	ppm, text, prlimit string
}

const (
	popplerTime   = 30 * time.Second
	popplerMemory = 1 << 30 // bytes of address space of one process
	popplerText   = 64 << 20
	popplerSide   = 1200 // the longer side of a cover, in pixels
)

// FindPoppler finds pdftoppm, pdftotext and prlimit; nil where one of them is
// not installed, for they are not run without limits.
func FindPoppler() *Poppler {
	var p Poppler
	for name, where := range map[string]*string{"pdftoppm": &p.ppm, "pdftotext": &p.text, "prlimit": &p.prlimit} {
		found, err := exec.LookPath(name)
		if err != nil {
			return nil
		}
		if found, err = filepath.Abs(found); err != nil {
			return nil
		}
		*where = found
	}
	return &p
}

// Cover draws the first page of the PDF at path as a JPEG.
func (p *Poppler) Cover(ctx context.Context, path string) (*Cover, error) {
	out, err := p.run(ctx, path, MaxCover, p.ppm, "-q", "-f", "1", "-l", "1", "-singlefile",
		"-scale-to", strconv.Itoa(popplerSide), "-jpeg", "-jpegopt", "quality=82")
	if err != nil {
		return nil, err
	}
	size, kind, err := image.DecodeConfig(bytes.NewReader(out))
	if err != nil || kind != "jpeg" || size.Width < 1 || size.Height < 1 || size.Width > maxImageSide || size.Height > maxImageSide {
		return nil, errs.New(errs.Refused, "the first page of the PDF could not be drawn")
	}
	return &Cover{MediaType: "image/jpeg", Data: out}, nil
}

// Text gives the text of the first pages of the PDF at path, one string a page;
// pages <= 0 means all.
func (p *Poppler) Text(ctx context.Context, path string, pages int) ([]string, error) {
	args := []string{"-q", "-enc", "UTF-8", "-eol", "unix"}
	if pages > 0 {
		args = append(args, "-l", strconv.Itoa(pages))
	}
	out, err := p.run(ctx, path, popplerText, p.text, append(args, path, "-")...)
	if err != nil {
		return nil, err
	}
	list := strings.Split(string(bytes.ToValidUTF8(out, nil)), "\f")
	if n := len(list); strings.TrimSpace(list[n-1]) == "" {
		list = list[:n-1] // a form feed ends each page
	}
	for i := range list {
		list[i] = cleanText(list[i], pdfMaxPage)
	}
	return list, nil
}

// run starts a tool and gives what it wrote, at most limit bytes. The tool gets
// path as its last argument unless args name it.
func (p *Poppler) run(ctx context.Context, path string, limit int64, tool string, args ...string) ([]byte, error) {
	full, err := filepath.Abs(path) // so that no name is taken for an option
	if err != nil {
		return nil, fmt.Errorf("path of the PDF: %w", err)
	}
	named := false
	for i := range args {
		if args[i] == path {
			args[i], named = full, true
		}
	}
	if !named {
		args = append(args, full)
	}
	ctx, cancel := context.WithTimeout(ctx, popplerTime)
	defer cancel()
	limits := []string{
		"--as=" + strconv.Itoa(popplerMemory), "--cpu=" + strconv.Itoa(int(popplerTime/time.Second)),
		"--core=0", "--fsize=" + strconv.Itoa(1<<20), "--nofile=64", "--", tool,
	}
	cmd := exec.CommandContext(ctx, p.prlimit, append(limits, args...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "XDG_CACHE_HOME=/nonexistent", "LC_ALL=C.UTF-8"}
	cmd.WaitDelay = 2 * time.Second
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", tool, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", tool, err)
	}
	out, readErr := io.ReadAll(io.LimitReader(pipe, limit+1))
	over := int64(len(out)) > limit
	if over {
		cancel()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case over:
		return nil, errs.New(errs.Refused, "poppler made more of the PDF than this program takes")
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, errs.New(errs.Refused, "poppler took too long over the PDF")
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &exit):
		return nil, errs.New(errs.Refused, "poppler could not read the PDF")
	case err != nil:
		return nil, fmt.Errorf("run %s: %w", tool, err)
	case readErr != nil:
		return nil, fmt.Errorf("read from %s: %w", tool, readErr)
	}
	return out, nil
}
