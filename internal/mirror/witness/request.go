package witness

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
)

// Request is what add-checkpoint is asked: C2SP tlog-witness, "add-checkpoint".
type Request struct {
	Old   int64          // the size that the witness cosigned last
	Proof tlog.TreeProof // that the checkpoint extends it
	Note  []byte         // the checkpoint
}

const (
	maxProof   = 63      // lines
	maxNote    = 1 << 18 // bytes of a checkpoint
	maxRequest = maxNote + (maxProof+2)*64
)

// Marshal is the request as it is sent.
func (r Request) Marshal() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.Old)
	for _, h := range r.Proof {
		b = append(b, h.String()+"\n"...)
	}
	return append(append(b, '\n'), r.Note...)
}

// ParseRequest reads a request. The checkpoint in it is not looked at.
func ParseRequest(data []byte) (Request, error) {
	bad := func(format string, args ...any) (Request, error) {
		return Request{}, errs.New(errs.Invalid, "not a request to a witness: "+format, args...)
	}
	if len(data) > maxRequest {
		return bad("it is longer than %d bytes", maxRequest)
	}
	line, rest, ok := bytes.Cut(data, []byte("\n"))
	old, isOld := strings.CutPrefix(string(line), "old ")
	if !ok || !isOld {
		return bad("its first line is not old and a size")
	}
	r := Request{}
	var err error
	if r.Old, err = parseSize(old); err != nil {
		return bad("%w", err)
	}
	for {
		if line, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
			return bad("it ends before the checkpoint")
		}
		if len(line) == 0 {
			break
		}
		if len(r.Proof) == maxProof {
			return bad("its proof has more than %d lines", maxProof)
		}
		h, err := base64.StdEncoding.Strict().DecodeString(string(line))
		if err != nil || len(h) != tlog.HashSize || bytes.ContainsRune(line, '\r') {
			return bad("line %d of its proof is not a hash", len(r.Proof)+1)
		}
		r.Proof = append(r.Proof, tlog.Hash(h))
	}
	if len(rest) == 0 || len(rest) > maxNote {
		return bad("its checkpoint has %d bytes", len(rest))
	}
	r.Note = bytes.Clone(rest)
	return r, nil
}

// parseSize reads a size in its one decimal form.
func parseSize(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, errs.New(errs.Invalid, "%.40q is not a size", s)
	}
	return n, nil
}
