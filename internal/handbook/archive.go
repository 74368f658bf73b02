package handbook

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
)

// archive writes a ZIP file of which every byte follows from what is added:
// files are stored, so that no packer's version shows, and without the data
// descriptors and extra fields that OCF forbids for the first file (OCF 3.3,
// 4.3.2).
type archive struct {
	buf bytes.Buffer
	w   *zip.Writer
	err error
}

func newArchive() *archive {
	a := &archive{}
	a.w = zip.NewWriter(&a.buf)
	return a
}

// zipDate is 1 January 1980 in the form of MS-DOS, the first day that ZIP knows.
const zipDate = 1<<5 | 1

func (a *archive) add(name string, data []byte) {
	if a.err != nil {
		return
	}
	h := &zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data),
		CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
	}
	//lint:ignore SA1019 CreateRaw writes this field, and not Modified
	h.ModifiedDate = zipDate
	w, err := a.w.CreateRaw(h)
	if err == nil {
		_, err = w.Write(data)
	}
	a.err = err
}

func (a *archive) finish() ([]byte, error) {
	if a.err != nil {
		return nil, a.err
	}
	if err := a.w.Close(); err != nil {
		return nil, err
	}
	return a.buf.Bytes(), nil
}
